"""Who else recognises the offline workload, beside the bare session and our server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.benchmark import funasr_protocol, in_process
from lab.benchmark.concurrent import LAYOUTS, run_concurrently
from lab.benchmark.funasr_server import FunasrInstallation, FunasrServer, prepare_folder
from lab.benchmark.in_process import Recognise
from lab.benchmark.running_server import START_TIMEOUT_S
from lab.benchmark.sherpa_server import offline_server
from lab.benchmark.websocket_server import Server, WebsocketServer
from lab.benchmark.whole_file import cut_segments
from lab.benchmark.workload import Recording, total_seconds

FUNASR, SHERPA, SHERPA_SERVER = "funasr_onnx", "sherpa-onnx", "sherpa-onnx server"
FUNASR_SERVER, GATEWAY = "FunASR server", "gateway"
PEERS = (FUNASR, SHERPA, SHERPA_SERVER, FUNASR_SERVER, GATEWAY)


@dataclass(frozen=True)
class Contestant:
    """One that recognises the workload.

    Attributes:
        name: for the tables.
        recognise: one recording.
        calls: how many at a time.
        note: what a reader needs to know of it.
    """

    name: str
    recognise: Recognise
    calls: int
    note: str = ""


@dataclass(frozen=True)
class Peers:
    """Who else is to run.

    Attributes:
        names: of `PEERS`.
        funasr: what FunASR's server runs from, if it is among them.
        funasr_layouts: of these it gets the fastest: threads and recognitions at a time.
    """

    names: Sequence[str] = ()
    funasr: FunasrInstallation | None = None
    funasr_layouts: Sequence[tuple[int, int]] = LAYOUTS


@dataclass(frozen=True)
class Race:
    """What the peers take part in.

    Attributes:
        kind: "paraformer" or "sensevoice".
        source: the exported model, laid out as the hubs do.
        recordings: the workload.
        layout: the bare session's best: threads of the recogniser and calls at a time.
        concurrencies: calls at a time to the servers.
        work: for what a later run finds there, and logs.
        grpc_url: of our server.
        report: gets a line after each step.
    """

    kind: str
    source: Path
    recordings: Sequence[Recording]
    layout: tuple[int, int]
    concurrencies: Sequence[int]
    work: Path
    grpc_url: str
    report: Callable[[str], None]


@contextmanager
def open_peers(peers: Peers, race: Race) -> Iterator[list[Contestant]]:
    """Start the peers; what is theirs ends with the context."""
    threads, calls = race.layout
    contestants = []
    with ExitStack() as stack:
        if FUNASR in peers.names:
            recognise = in_process.funasr_onnx(race.kind, race.source, threads)
            contestants.append(Contestant(FUNASR, recognise, calls))
        if SHERPA in peers.names:
            recognise = in_process.sherpa_onnx(race.kind, race.source, race.work, threads)
            contestants.append(Contestant(SHERPA, recognise, calls))
        if SHERPA_SERVER in peers.names:
            folder = in_process.sherpa_folder(race.kind, race.source, race.work)
            log = race.work / "sherpa.log"
            server = _started(stack, offline_server(race.kind, folder, threads, calls, log))
            contestants += _of_server(SHERPA_SERVER, server.recognise, race)
        if peers.funasr is not None:
            contestants += _funasr_server(stack, peers.funasr, peers.funasr_layouts, race)
        if GATEWAY in peers.names:
            contestants += _gateway(stack, race)
        yield contestants


def _funasr_server(
    stack: ExitStack,
    installation: FunasrInstallation,
    layouts: Sequence[tuple[int, int]],
    race: Race,
) -> list[Contestant]:
    """FunASR's server in the layout that is fastest with the most calls at a time."""
    folder = prepare_folder(installation, race.source, race.work / "funasr")

    def server(layout: tuple[int, int]) -> FunasrServer:
        return FunasrServer(installation, folder, *layout, race.work / "funasr.log")

    def wall_s(layout: tuple[int, int]) -> float:
        with ExitStack() as trial:
            recognise = _started(trial, server(layout)).recognise
            run_concurrently(recognise, race.recordings[:2], 2)  # warm up
            timing = run_concurrently(recognise, race.recordings, max(race.concurrencies))
        race.report(
            f"{FUNASR_SERVER}, {layout[0]} threads x {layout[1]} calls: {timing.wall_s:.2f} s"
        )
        return timing.wall_s

    threads, calls = best = min(layouts, key=wall_s) if len(layouts) > 1 else layouts[0]
    versions = ", ".join(f"{name} {number}" for name, number in installation.versions.items())
    note = (
        f"{versions}, fp32, {threads} threads for each of {calls} recognitions at a time. It runs "
        "the embedded VAD on each recording and recognises all of it; punctuation and speaker "
        "model are switched off."
    )
    return _of_server(FUNASR_SERVER, _started(stack, server(best)).recognise, race, note)


def _gateway(stack: ExitStack, race: Race) -> list[Contestant]:
    """Our gateway before our server, with the same client as FunASR's server."""
    command = [sys.executable, "-m", "asr_gateway", f"--triton=grpc://{race.grpc_url}"]
    command += ["--service=offline", f"--model={race.kind}"]
    log = race.work / "gateway.log"
    url = _started(stack, WebsocketServer(command, log)).url
    segments = [one for recording in race.recordings for one in cut_segments(recording)]
    note = (
        "our server behind the gateway, by FunASR's websocket protocol. It recognises the "
        f"{total_seconds(segments):.0f} s of {total_seconds(race.recordings):.0f} s that the "
        "embedded VAD finds, and sets marks (Paraformer's with the embedded punctuation model)."
    )
    return _of_server(GATEWAY, lambda one: funasr_protocol.recognise(url, one), race, note)


def _started(stack: ExitStack, server: Server) -> Server:
    """Start a server that ends with the stack."""
    stack.enter_context(server)
    server.wait_ready(START_TIMEOUT_S)
    return server


def _of_server(name: str, recognise: Recognise, race: Race, note: str = "") -> list[Contestant]:
    """One contestant for each number of calls at a time."""
    return [Contestant(name, recognise, number, note) for number in race.concurrencies]
