"""Offline recognition: the server and its peers against the bare session, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from asr_client import Client
from asr_contract import SAMPLE_RATE, triton_name
from asr_server.models import KINDS, VERSION, ModelKind
from lab.benchmark import in_process
from lab.benchmark.concurrent import LAYOUTS, run_concurrently
from lab.benchmark.in_process import Recognise
from lab.benchmark.installed_models import MeasuredPrecision, installed
from lab.benchmark.offline_peers import GATEWAY, Contestant, Peers, Race, open_peers
from lab.benchmark.running_server import running_server
from lab.benchmark.server_statistics import (
    ModelStatistics,
    memory_mb,
    read_statistics,
    wait_for_difference,
)
from lab.benchmark.workload import Recording

ALONE = (2, 1)  # how one recording is answered soonest
GATEWAY_MODELS = (KINDS["vad"], KINDS["punctuation"])

BARE, BARE_ALONE, SERVER, SERVER_HTTP = "bare", "bare, alone", "server", "server, HTTP"


@dataclass
class Round:
    """One contestant's pass over the recordings.

    Attributes:
        wall_s: from the first start to the last answer.
        cpu_s: processor time of all processes: contestant, client and this one.
        latency_p50_s, latency_p95_s: over the recordings.
    """

    wall_s: float
    cpu_s: float
    latency_p50_s: float
    latency_p95_s: float


@dataclass
class OfflineResult:
    """One model's figures.

    Attributes:
        ensemble, encoder: names of the models in the statistics.
        precision: of the server and the bare session; the peers have fp32.
        layout: threads and calls at a time of the recognisers in this process.
        rounds: for each contestant and number of calls at a time, its rounds.
        models: for each number of calls, Triton's statistics over the last round.
        notes: for some contestants, what a reader needs to know of them.
        memory_mb: of each process after the last round.
    """

    ensemble: str
    encoder: str
    precision: MeasuredPrecision
    layout: tuple[int, int]
    rounds: dict[str, dict[int, list[Round]]] = field(default_factory=dict)
    models: dict[int, dict[str, ModelStatistics]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)

    def ratios(self, name: str, calls: int) -> list[float]:
        """Of each round, the contestant's wall time to the bare session's."""
        (bare,) = self.rounds[BARE].values()
        pairs = zip(self.rounds[name][calls], bare, strict=True)
        return [one.wall_s / other.wall_s for one, other in pairs]

    def cpu_ratios(self, name: str, calls: int) -> list[float]:
        """Of each round, the contestant's processor time to the bare session's.

        Where other work takes processor time away, this stays what it is, unlike wall times.
        """
        (bare,) = self.rounds[BARE].values()
        pairs = zip(self.rounds[name][calls], bare, strict=True)
        return [one.cpu_s / other.cpu_s for one, other in pairs]

    def latency_s(self, name: str, calls: int) -> float:
        """Median over rounds of the median latency."""
        return statistics.median(one.latency_p50_s for one in self.rounds[name][calls])


def measure_offline(
    kind: ModelKind,
    source: Path,
    recordings: Sequence[Recording],
    concurrencies: Sequence[int],
    rounds: int,
    peers: Peers,
    precision: MeasuredPrecision,
    work: Path,
    report: Callable[[str], None],
) -> OfflineResult:
    """Run all contestants in turns over the same recordings.

    Args:
        kind: which model.
        source: the exported model, laid out as the hubs do.
        recordings: the workload.
        concurrencies: calls at a time to the servers.
        rounds: how often each contestant runs, in turns.
        peers: who else takes part.
        precision: of the server and the bare session.
        work: for installed models, which a later run finds there.
        report: gets a line after each step.
    """
    repository = installed(kind, source, work, precision)
    graph = repository / kind.encoder / VERSION / "model.onnx"
    threads = sorted({threads for threads, _ in LAYOUTS})
    sessions = {number: in_process.bare(graph, source, number) for number in threads}
    layout = choose_bare_layout(sessions, recordings, report)
    result = OfflineResult(triton_name(kind.name), kind.encoder, precision, layout)
    repositories = [repository]
    if GATEWAY in peers.names:
        repositories += [installed(one, one.embedded, work) for one in GATEWAY_MODELS]
    with ExitStack() as stack:
        server = stack.enter_context(running_server(repositories, work))
        here = psutil.Process()
        race = Race(
            kind.name, source, recordings, layout, concurrencies, work, server.grpc_url, report
        )
        contestants = [
            Contestant(BARE, sessions[layout[0]], layout[1]),
            Contestant(BARE_ALONE, sessions[ALONE[0]], ALONE[1]),
            *stack.enter_context(open_peers(peers, race)),
        ]
        for name, url in ((SERVER, server.grpc_url), (SERVER_HTTP, server.http_url)):
            recognise = stack.enter_context(_client(kind.name, name, url))
            contestants += [Contestant(name, recognise, calls) for calls in concurrencies]
        result.notes = {one.name: one.note for one in contestants if one.note}
        for one in contestants:
            run_concurrently(one.recognise, recordings[:2], 2)  # warm up
        for _ in range(rounds):
            for one in contestants:
                before, spent_s = read_statistics(server.http_url), _family_cpu_seconds(here)
                timing = run_concurrently(one.recognise, recordings, one.calls)
                spent_s = _family_cpu_seconds(here) - spent_s
                percentiles = (timing.latency_percentile_s(percent) for percent in (50, 95))
                by_calls = result.rounds.setdefault(one.name, {})
                by_calls.setdefault(one.calls, []).append(
                    Round(timing.wall_s, spent_s, *percentiles)
                )
                if one.name == SERVER:
                    result.models[one.calls] = wait_for_difference(
                        server.http_url, before, (result.ensemble, result.encoder), len(recordings)
                    )
                report(
                    f"{kind.name}: {one.name} x {one.calls}: {timing.wall_s:.2f} s, "
                    f"processor {spent_s:.2f} s"
                )
        result.memory_mb = memory_mb(server.pid)
    return result


def choose_bare_layout(
    sessions: Mapping[int, Recognise],
    recordings: Sequence[Recording],
    report: Callable[[str], None],
) -> tuple[int, int]:
    """Return the layout of `LAYOUTS` that is fastest on these recordings.

    Args:
        sessions: by their number of threads.
        recordings: the workload.
        report: gets a line for each layout.
    """
    walls = {}
    for threads, calls in LAYOUTS:
        run_concurrently(sessions[threads], recordings[:calls], calls)  # warm up
        walls[threads, calls] = run_concurrently(sessions[threads], recordings, calls).wall_s
        report(f"bare, {threads} threads x {calls} calls: {walls[threads, calls]:.2f} s")
    return min(walls, key=lambda layout: walls[layout])


def _family_cpu_seconds(parent: psutil.Process) -> float:
    """Processor time so far of a process and all that it started, all of which go on."""
    family = [parent, *parent.children(recursive=True)]
    return float(sum(sum(one.cpu_times()[:2]) for one in family))


@contextmanager
def _client(kind: str, name: str, url: str) -> Iterator[Recognise]:
    scheme = "http" if name == SERVER_HTTP else "grpc"
    with Client(f"{scheme}://{url}", timeout_s=300) as client:
        yield lambda recording: client.transcribe(recording, model=kind, sample_rate=SAMPLE_RATE)
