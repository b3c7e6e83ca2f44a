"""Streaming recognition: how many real-time streams, next to what the bare sessions allow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asr_core.streaming import load_streaming_model
from asr_server.models import KINDS, VERSION
from asr_server.run import TritonServer
from lab.benchmark.bare_streaming import BareCost, BareStreaming
from lab.benchmark.installed_models import installed, prepared
from lab.benchmark.realtime import Load, load_sherpa, load_triton
from lab.benchmark.running_server import START_TIMEOUT_S, running_server
from lab.benchmark.server_statistics import (
    ModelStatistics,
    cpu_seconds,
    difference,
    memory_mb,
    read_statistics,
)
from lab.benchmark.sherpa_models import prepare_streaming
from lab.benchmark.sherpa_server import SherpaServer, online_server
from lab.benchmark.workload import Recording

KIND = KINDS["paraformer-online"]
LATENCY_LIMIT_S = 0.6
BATCHES = (1, 2, 4, 8)
LAYOUTS = ((2, 1), (1, 2))  # (threads of the sessions, calls at a time) on two cores
BARE_ROUNDS = 7
WARM_UP_S = 3.0


@dataclass(frozen=True)
class LoadResult:
    """The server under a number of streams.

    Attributes:
        streams: how many.
        p50_s, p95_s, p99_s: latencies of the pieces.
        models: Triton's statistics.
        cores: CPU time of each process per second; "client" is this one.
    """

    streams: int
    p50_s: float
    p95_s: float
    p99_s: float
    models: dict[str, ModelStatistics]
    cores: dict[str, float]

    @property
    def is_sustained(self) -> bool:
        """Whether the latency stays under the length of a piece."""
        return self.p95_s < LATENCY_LIMIT_S


@dataclass
class StreamingResult:
    """Figures of one model.

    Attributes:
        bare: cost of the sessions alone at each batch size.
        loads: the server, in the order tried.
        sherpa: sherpa-onnx's online websocket server, likewise.
        memory_mb: of each process at the end.
    """

    bare: list[BareCost] = field(default_factory=list)
    loads: list[LoadResult] = field(default_factory=list)
    sherpa: list[LoadResult] = field(default_factory=list)
    memory_mb: dict[str, float] = field(default_factory=dict)

    @property
    def bare_streams(self) -> float:
        """Streams that the sessions alone allow at their best batch size."""
        return max(cost.streams for cost in self.bare)

    @property
    def server_streams(self) -> int:
        """Most streams that the server sustained."""
        return _most_sustained(self.loads)

    @property
    def sherpa_streams(self) -> int:
        """Most streams that sherpa-onnx sustained."""
        return _most_sustained(self.sherpa)


def _most_sustained(loads: Sequence[LoadResult]) -> int:
    return max((load.streams for load in loads if load.is_sustained), default=0)


def measure_streaming(
    source: Path,
    recordings: Sequence[Recording],
    streams: Sequence[int],
    seconds: float,
    with_sherpa: bool,
    work: Path,
    report: Callable[[str], None],
) -> StreamingResult:
    """Measure bare sessions, then the servers in turns under growing load until they fall behind.

    Args:
        source: the exported model.
        recordings: what is spoken.
        streams: numbers of streams to try, ascending.
        seconds: length of each stream.
        with_sherpa: whether sherpa-onnx's server takes part.
        work: for installed models, which a later run finds there.
        report: gets a line after each step.
    """
    result = StreamingResult()
    with ExitStack() as stack:
        repository = installed(KIND, source, work)
        _measure_bare(source, repository, recordings, result, report)
        sherpa = stack.enter_context(_sherpa(source, work)) if with_sherpa else None
        server = stack.enter_context(running_server([repository], work))
        asyncio.run(load_triton(server.grpc_url, recordings, streams[0], WARM_UP_S))
        for count in streams:
            if not result.loads or result.loads[-1].is_sustained:
                load = _measure_load(server, recordings, count, seconds)
                result.loads.append(load)
                report(f"{count} streams: p50 {load.p50_s:.3f} s, p95 {load.p95_s:.3f} s")
            if sherpa and (not result.sherpa or result.sherpa[-1].is_sustained):
                load = _measure_sherpa(sherpa, recordings, count, seconds)
                result.sherpa.append(load)
                report(f"{count}, sherpa: p50 {load.p50_s:.3f} s, p95 {load.p95_s:.3f} s")
        result.memory_mb = memory_mb(server.pid)
    return result


def _measure_bare(
    source: Path,
    repository: Path,
    recordings: Sequence[Recording],
    result: StreamingResult,
    report: Callable[[str], None],
) -> None:
    encoder, decoder = (
        repository / model / VERSION / "model.onnx"
        for model in ("streaming_encoder", "streaming_decoder")
    )
    for threads, calls in LAYOUTS:
        bare = BareStreaming(encoder, decoder, load_streaming_model(source), threads)
        for batch in BATCHES:
            cost = bare.measure(recordings, batch, calls, BARE_ROUNDS)
            result.bare.append(cost)
            report(
                f"bare, {threads} threads x {calls} calls, batch {batch}: "
                f"{cost.streams:.1f} streams"
            )


@contextmanager
def _sherpa(source: Path, work: Path) -> Iterator[SherpaServer]:
    """sherpa-onnx's server with a thread for each of two streams, its best layout on two cores."""
    folder = prepared(work, "sherpa", source, lambda target: prepare_streaming(source, target))
    threads, calls = LAYOUTS[1]
    with online_server(folder, threads, calls, work / "sherpa.log") as server:
        server.wait_ready(START_TIMEOUT_S)
        yield server


def _measure_load(
    server: TritonServer, recordings: Sequence[Recording], count: int, seconds: float
) -> LoadResult:
    counted = read_statistics(server.http_url)

    def speak() -> Coroutine[Any, Any, Load]:
        return load_triton(server.grpc_url, recordings, count, seconds)

    result = _measure(count, speak, lambda: cpu_seconds(server.pid))
    return replace(result, models=difference(read_statistics(server.http_url), counted))


def _measure_sherpa(
    server: SherpaServer, recordings: Sequence[Recording], count: int, seconds: float
) -> LoadResult:
    def speak() -> Coroutine[Any, Any, Load]:
        return load_sherpa(server.url, recordings, count, seconds)

    return _measure(count, speak, lambda: {"sherpa": server.cpu_seconds()})


def _measure(
    count: int,
    speak: Callable[[], Coroutine[Any, Any, Load]],
    server_cpu_s: Callable[[], Mapping[str, float]],
) -> LoadResult:
    def used() -> dict[str, float]:
        return {**server_cpu_s(), "client": time.process_time()}

    before, begun_s = used(), time.perf_counter()
    load = asyncio.run(speak())
    wall_s = time.perf_counter() - begun_s
    return LoadResult(
        count,
        load.percentile_s(50),
        load.percentile_s(95),
        load.percentile_s(99),
        {},
        {name: (now - before[name]) / wall_s for name, now in used().items()},
    )
