"""What a machine with a GPU does: texts, bare graphs, the server, streams; some minutes in all.

Models are installed before the clock starts, and kept: on a machine that is lent for minutes, bring
the folder. With `device` "cpu" the same is done by the CPU provider, which shows that it works.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from asr_client import Client
from asr_contract import SAMPLE_RATE
from asr_contract.cores import usable_cores
from asr_server.gpus import usable_gpus
from asr_server.models import KINDS, VERSION
from asr_server.models.config_blocks import GRAPH
from asr_server.models.names import Device, OnnxRuntime
from asr_server.run import TritonServer, count_instances, find_installation
from lab.benchmark.bare_graphs import GraphResult, NoGpuError, measure_graph
from lab.benchmark.gpu_use import GpuUse, GpuWatch
from lab.benchmark.installed_models import MeasuredPrecision, installed
from lab.benchmark.load_processes import Answered, LoadProcesses
from lab.benchmark.running_server import START_TIMEOUT_S
from lab.benchmark.server_load import ServerLoad
from lab.benchmark.server_statistics import (
    ModelStatistics,
    cpu_seconds,
    difference,
    read_statistics,
)
from lab.benchmark.workload import Recording

RECOGNISERS = ("sensevoice", "paraformer")
STREAMING = "paraformer-online"
Backend = Literal["C++", "Python-based"]
HIDDEN = {"CUDA_VISIBLE_DEVICES": "-1"}  # no GPU for a server with this in its environment
_WARM_UP_S, _LOAD_S = 1.5, 5.0  # of each number of requests at a time
LONE_S = 5.0  # length of each request where one is sent at a time
_CORES_OF_CLIENTS = 3  # one of so many cores sends requests


@dataclass(frozen=True)
class Texts:
    """What a model said on the device, beside what it says in fp32 on the CPU."""

    recordings: int
    differ: list[tuple[str, str]]


@dataclass(frozen=True)
class Measured:
    """A load of the server.

    Attributes:
        load: how much, how fast, and processor time: in ms for a second of audio.
        failed: requests that were not answered.
        mean_batch: rows of a run of the encoder.
        gpu: how busy it was, None without one.
    """

    load: ServerLoad
    failed: int
    mean_batch: float
    gpu: GpuUse | None


@dataclass(frozen=True)
class MeasuredStreams:
    """Streams at a time.

    Attributes:
        streams: how many.
        p50_s, p95_s: from the moment a piece was spoken to its answer.
        mean_batch: windows of a run of the encoder.
        cores: processor time of each process per second.
        gpu: how busy it was, None without one.
    """

    streams: int
    p50_s: float
    p95_s: float
    mean_batch: float
    cores: dict[str, float]
    gpu: GpuUse | None


@dataclass
class GpuReport:
    """All of it, as far as the time went.

    Attributes:
        device: name of the card, or "CPU".
        backend: which runs the graphs: Triton's C++ one where it is installed, else ours.
        texts: by model and precision.
        graphs, server: by model.
        streams: in the order tried.
        left_out: what there was no time for.
    """

    device: str
    backend: Backend
    texts: dict[str, Texts] = field(default_factory=dict)
    graphs: dict[str, GraphResult] = field(default_factory=dict)
    server: dict[str, list[Measured]] = field(default_factory=dict)
    streams: list[MeasuredStreams] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GpuPlan:
    """What is measured.

    Attributes:
        device: "gpu", or "cpu" to try the program.
        sources: exported model by kind; the embedded ones where there are no others.
        precision: of the models.
        onnxruntime: the oldest that has to read the graphs.
        batches: of the bare graphs.
        concurrency: requests at a time.
        streams: at a time.
        texts: whether the embedded models' are compared; nothing else is measured if no batches,
            requests and streams are asked for.
        stream_s: length of each.
        limit_s: time for all of it; what is begun is finished.
    """

    device: Device
    sources: Mapping[str, Path]
    precision: MeasuredPrecision
    onnxruntime: OnnxRuntime
    batches: Sequence[int]
    concurrency: Sequence[int]
    streams: Sequence[int]
    texts: bool
    stream_s: float
    limit_s: float


def measure_gpu(
    plan: GpuPlan, recordings: Sequence[Recording], work: Path, log: Callable[[str], None]
) -> GpuReport:
    """Install what is missing, then measure.

    Args:
        plan: what.
        recordings: what is spoken.
        work: for installed models, which a later run finds there.
        log: is told how far it is.

    Raises:
        NoGpuError: there is none that can be used, or ONNX Runtime does not use it.
    """
    gpus = usable_gpus()
    if plan.device == "gpu" and not gpus:
        raise NoGpuError("no usable NVIDIA driver (nvidia-smi); --cpu tries the program without")

    def put(name: str, source: Path, precision: MeasuredPrecision) -> Path:
        folder = "embedded" if source == KINDS[name].embedded else source.name
        return installed(
            KINDS[name], source, work / folder, precision, plan.device, plan.onnxruntime
        )

    models = {name: put(name, source, plan.precision) for name, source in plan.sources.items()}
    backend: Backend = "C++" if find_installation().has_onnxruntime else "Python-based"
    report = GpuReport(str(gpus[0]) if gpus else "CPU", backend)
    run = _Run(plan, recordings, work, log, report)
    if plan.texts:
        precisions: list[MeasuredPrecision] = [*dict.fromkeys(("fp32", plan.precision))]
        run.compare_texts(
            {
                precision: {
                    name: put(name, KINDS[name].embedded, precision) for name in plan.sources
                }
                for precision in precisions
            }
        )
    if plan.batches:
        run.measure_graphs(models)
    if plan.concurrency or plan.streams:
        run.measure_server(models)
    return run.report


class _Run:
    """One run, with its clock."""

    def __init__(
        self,
        plan: GpuPlan,
        recordings: Sequence[Recording],
        work: Path,
        log: Callable[[str], None],
        report: GpuReport,
    ) -> None:
        self.report = report
        self._plan = plan
        self._recordings = recordings
        self._work = work
        self._log = log
        self._end = time.monotonic() + plan.limit_s

    def compare_texts(self, repositories: Mapping[MeasuredPrecision, Mapping[str, Path]]) -> None:
        """Recognise the same with the embedded models on the device and, in fp32, on the CPU."""
        expected = self._texts(repositories["fp32"], HIDDEN)
        for precision, models in repositories.items():
            texts = self._texts(models, {})
            for name in models:
                both = list(zip(texts[name], expected[name], strict=True))
                differ = [(ours, cpus) for ours, cpus in both if ours != cpus]
                self.report.texts[f"{name}, {precision}"] = Texts(len(both), differ)
                self._log(
                    f"{name}, {precision}: {len(differ)} of {len(both)} texts differ from those of "
                    "fp32 on the CPU"
                )

    def _texts(
        self, repositories: Mapping[str, Path], env: Mapping[str, str]
    ) -> dict[str, list[str]]:
        samples = self._recordings[:22]
        with self._server(repositories, env) as server:
            server.wait_ready(START_TIMEOUT_S)
            with Client(f"grpc://{server.grpc_url}", timeout_s=300) as client:
                texts = {
                    name: [
                        client.transcribe(one, model=name, sample_rate=SAMPLE_RATE).text
                        for one in samples
                    ]
                    for name in RECOGNISERS
                }
                texts[STREAMING] = [_stream(client, one) for one in samples]
        return texts

    def measure_graphs(self, repositories: Mapping[str, Path]) -> None:
        """Run the recognisers' graphs alone."""
        provider = "cuda" if self._plan.device == "gpu" else "cpu"
        for name in RECOGNISERS:
            if name in repositories and self._has_time(f"bare graph of {name}"):
                graph = repositories[name] / KINDS[name].encoder / VERSION / GRAPH
                recordings = self._recordings[: 2 * max(self._plan.batches)]
                source, batches = self._plan.sources[name], self._plan.batches
                self.report.graphs[name] = measure_graph(
                    graph, source, provider, recordings, batches, 3, self._log
                )

    def measure_server(self, repositories: Mapping[str, Path]) -> None:
        """Load one server with all models: requests at a time, then streams at a time."""
        clients = max(1, usable_cores() // _CORES_OF_CLIENTS)
        with (
            LoadProcesses(self._recordings, clients) as load,
            self._server(repositories, {}) as server,
        ):
            server.wait_ready(START_TIMEOUT_S)
            for name in RECOGNISERS:
                if name in repositories:
                    for number in self._plan.concurrency:
                        if self._has_time(f"{name}, {number} at a time"):
                            self._load(server, load, name, number)
            if STREAMING in repositories and self._plan.streams:
                load.stream(server.grpc_url, self._plan.streams[0], _WARM_UP_S)
                for count in self._plan.streams:
                    if self._has_time(f"{count} streams"):
                        self._stream(server, load, count)

    def _load(self, server: TritonServer, load: LoadProcesses, name: str, number: int) -> None:
        length_s = LONE_S if number == 1 else None
        load.recognise(server.grpc_url, name, number, _WARM_UP_S, length_s)
        counted, before = read_statistics(server.http_url), cpu_seconds(server.pid)
        with GpuWatch() as watch:
            answered = load.recognise(server.grpc_url, name, number, _LOAD_S, length_s)
        used = cpu_seconds(server.pid)
        measured = Measured(
            ServerLoad(
                number,
                answered.audio_s / _LOAD_S,
                answered.percentile_s(50),
                answered.percentile_s(95),
                _per_second_of_audio(used, before, answered),
            ),
            len(answered.failed),
            self._mean_batch(server, counted, KINDS[name].encoder),
            watch.use,
        )
        self.report.server.setdefault(name, []).append(measured)
        self._log(
            f"{name}, {number} at a time: {measured.load.audio_per_s:.0f} s of audio per second, "
            f"mean batch {measured.mean_batch:.1f}"
        )
        for failure in answered.failed[:1]:
            self._log(f"{len(answered.failed)} failed, the first with: {failure}")

    def _stream(self, server: TritonServer, load: LoadProcesses, count: int) -> None:
        counted, before = read_statistics(server.http_url), cpu_seconds(server.pid)
        with GpuWatch() as watch:
            answered = load.stream(server.grpc_url, count, self._plan.stream_s)
        used = cpu_seconds(server.pid)
        result = MeasuredStreams(
            count,
            answered.percentile_s(50),
            answered.percentile_s(95),
            self._mean_batch(server, counted, KINDS[STREAMING].encoder),
            {name: (used[name] - before[name]) / self._plan.stream_s for name in used},
            watch.use,
        )
        self.report.streams.append(result)
        self._log(f"{count} streams: p95 {result.p95_s:.3f} s")

    @staticmethod
    def _mean_batch(
        server: TritonServer, counted: dict[str, ModelStatistics], encoder: str
    ) -> float:
        done = difference(read_statistics(server.http_url), counted)
        return done[encoder].mean_batch if encoder in done else 0.0

    def _has_time(self, what: str) -> bool:
        if time.monotonic() < self._end:
            return True
        self.report.left_out.append(what)
        return False

    def _server(self, repositories: Mapping[str, Path], env: Mapping[str, str]) -> TritonServer:
        hide = HIDDEN if self._plan.device == "cpu" else {}
        gpus = 0 if self._plan.device == "cpu" or env else len(usable_gpus())
        return TritonServer(
            [*repositories.values()],
            log=self._work / "server.log",
            env={**hide, **env},
            instances=count_instances(usable_cores(), gpus),
        )


def _per_second_of_audio(
    used: Mapping[str, float], before: Mapping[str, float], answered: Answered
) -> dict[str, float]:
    """Return each process's ms of processor time for a second of audio that was answered."""
    return {name: 1000 * (used[name] - before[name]) / max(answered.audio_s, 1e-9) for name in used}


def _stream(client: Client, samples: Recording) -> str:
    with client.stream() as session:
        session.send(samples, sample_rate=SAMPLE_RATE)
        return session.finish().text
