"""Offline recognition: the server against the bare session on the same graph and recordings."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_client import Client
from asr_client.protocol import triton_name
from scripts.benchmark.bare_session import BareSession
from scripts.benchmark.concurrent import Timing, run_concurrently
from scripts.benchmark.server_statistics import (
    ModelStatistics,
    difference,
    memory_mb,
    read_statistics,
)
from scripts.benchmark.workload import Recording
from scripts.install_model import (
    ROOT,
    VERSION,
    ModelKind,
    copy_repository,
    install,
)
from scripts.triton_server import TritonServer

# Ways to use two or more cores: (threads of the session, calls at a time).
BARE_LAYOUTS = ((1, 1), (2, 1), (1, 2), (2, 2))
START_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class OfflineResult:
    """One model's figures; wall times in seconds, one per round.

    Attributes:
        ensemble, encoder: names of the models in the statistics.
        bare_layout: the best (threads, calls at a time) of the bare session.
        bare_s: wall times of the bare session in that layout.
        server_s: for each concurrency, wall times of the server.
        latency_p95_s: for each concurrency, of all rounds.
        models: for each concurrency, Triton's statistics over all rounds.
        memory_mb: of each process after the last round.
    """

    ensemble: str
    encoder: str
    bare_layout: tuple[int, int]
    bare_s: list[float]
    server_s: dict[int, list[float]]
    latency_p95_s: dict[int, float]
    models: dict[int, dict[str, ModelStatistics]]
    memory_mb: dict[str, float]

    def ratio(self, concurrency: int) -> float:
        """Median over rounds of the server's wall time to the bare session's."""
        pairs = zip(self.server_s[concurrency], self.bare_s, strict=True)
        return statistics.median(server / bare for server, bare in pairs)


def measure_offline(
    kind: ModelKind,
    source: Path,
    recordings: Sequence[Recording],
    concurrencies: Sequence[int],
    rounds: int,
    report: Callable[[str], None],
) -> OfflineResult:
    """Run bare session and server in turns over the same recordings.

    Args:
        kind: which model.
        source: the exported model, laid out as the hubs do.
        recordings: the workload.
        concurrencies: calls at a time to the server.
        rounds: how often each contestant runs, in turns.
        report: gets a line after each step.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as work:
        repository = copy_repository(ROOT / kind.repository, Path(work) / kind.repository)
        install(kind, source, repository)
        graph = repository / kind.encoder / VERSION / "model.onnx"
        layout = choose_bare_layout(graph, source, recordings, report)
        bare = BareSession(graph, source, layout[0])
        with TritonServer([repository], log=Path(work) / "server.log") as server:
            server.wait_ready(START_TIMEOUT_S)
            return _measure_in_turns(
                kind, server, bare, layout, recordings, concurrencies, rounds, report
            )


def choose_bare_layout(
    graph: Path, model_dir: Path, recordings: Sequence[Recording], report: Callable[[str], None]
) -> tuple[int, int]:
    """Return the layout of `BARE_LAYOUTS` that is fastest on these recordings."""
    walls = {}
    for threads, calls in BARE_LAYOUTS:
        session = BareSession(graph, model_dir, threads)
        run_concurrently(session, recordings[:calls], calls)  # warm up
        walls[threads, calls] = run_concurrently(session, recordings, calls).wall_s
        report(f"bare, {threads} threads x {calls} calls: {walls[threads, calls]:.2f} s")
    return min(walls, key=lambda layout: walls[layout])


def _measure_in_turns(
    kind: ModelKind,
    server: TritonServer,
    bare: BareSession,
    layout: tuple[int, int],
    recordings: Sequence[Recording],
    concurrencies: Sequence[int],
    rounds: int,
    report: Callable[[str], None],
) -> OfflineResult:
    bare_s: list[float] = []
    timings: dict[int, list[Timing]] = {concurrency: [] for concurrency in concurrencies}
    counted: dict[int, list[dict[str, ModelStatistics]]] = {c: [] for c in concurrencies}
    with Client(f"grpc://{server.grpc_url}", timeout_s=300) as client:

        def recognise(recording: Recording) -> object:
            return client.transcribe(recording, model=kind.name, sample_rate=16_000)

        run_concurrently(recognise, recordings[:4], 2)  # warm up
        for _ in range(rounds):
            bare_s.append(run_concurrently(bare, recordings, layout[1]).wall_s)
            for concurrency in concurrencies:
                before = read_statistics(server.http_url)
                timings[concurrency].append(run_concurrently(recognise, recordings, concurrency))
                counted[concurrency].append(difference(read_statistics(server.http_url), before))
            walls = {c: round(timings[c][-1].wall_s, 2) for c in concurrencies}
            report(f"{kind.name}: bare {bare_s[-1]:.2f} s, server {walls} s")
    return OfflineResult(
        ensemble=triton_name(kind.name),
        encoder=kind.encoder,
        bare_layout=layout,
        bare_s=bare_s,
        server_s={c: [timing.wall_s for timing in timings[c]] for c in concurrencies},
        latency_p95_s={
            c: statistics.median(t.latency_percentile_s(95) for t in timings[c])
            for c in concurrencies
        },
        models={c: counted[c][-1] for c in concurrencies},
        memory_mb=memory_mb(server.pid),
    )
