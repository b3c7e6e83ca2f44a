"""What everything but the encoder costs, and how full its batches are.

SenseVoice's ensemble with the real front end and scoring, and in the place of the graph a stand-in
that takes a fixed time for a run, whatever the batch, as a GPU does.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asr_server.models import KINDS, VERSION, copy_repository
from asr_server.run import TritonServer
from asr_server.run.ports import held_ports
from lab.benchmark.running_server import START_TIMEOUT_S
from lab.benchmark.server_load import ServerLoad, load_server, warm_up
from lab.benchmark.stand_in_models import put_stand_in
from lab.benchmark.workload import Recording

KIND = KINDS["sensevoice"]


@dataclass(frozen=True)
class GlueLoad(ServerLoad):
    """What came of one number of requests at a time.

    Attributes:
        mean_batch: rows of a run.
        share: of the rows that waited when a run started, and for which there was room, how many
            were in it.
    """

    mean_batch: float
    share: float


@dataclass(frozen=True)
class GlueResult:
    """One run of the benchmark.

    Attributes:
        run_s: time of a run of the stand-in.
        max_batch: rows that it takes.
        loads: one for each number of requests at a time.
    """

    run_s: float
    max_batch: int
    loads: list[GlueLoad]


def measure_glue(
    recordings: Sequence[Recording],
    concurrency: Sequence[int],
    run_s: float,
    max_batch: int,
    log: Callable[[str], None],
) -> GlueResult:
    """Serve the ensemble around the stand-in and send it recordings.

    Args:
        recordings: float32 at 16 kHz each; few requests at a time get the first of them.
        concurrency: requests at a time.
        run_s: time of a run.
        max_batch: rows of a run at most.
        log: is told how far it is.
    """
    with serving_stand_in(run_s, max_batch) as (server, runs_file):
        loads = []
        for number in concurrency:
            load = _measure(server, recordings, number, runs_file, max_batch)
            log(f"{number} at a time: {load.audio_per_s:.0f} s of audio per second")
            loads.append(load)
    return GlueResult(run_s, max_batch, loads)


@contextmanager
def serving_stand_in(run_s: float, max_batch: int) -> Iterator[tuple[TritonServer, Path]]:
    """Serve the ensemble around the stand-in.

    Yields:
        the server, and the file in which its runs are counted, for `read_runs`.
    """
    with tempfile.TemporaryDirectory(prefix="glue-") as folder, held_ports(1) as (metrics_port,):
        work = Path(folder)
        runs_file = work / "runs.txt"
        parameters = {
            "run_s": str(run_s),
            "metrics_url": f"http://127.0.0.1:{metrics_port}/metrics",
            "runs_file": str(runs_file),
        }
        repository = _with_stand_in(work, max_batch, parameters)
        log_file = work / "server.log"
        with TritonServer([repository], metrics_port=metrics_port, log=log_file) as server:
            server.wait_ready(START_TIMEOUT_S)
            yield server, runs_file


def _with_stand_in(work: Path, max_batch: int, parameters: dict[str, str]) -> Path:
    """Return SenseVoice's chain with the embedded model's tables and the stand-in."""
    assert KIND.ensemble is not None
    repository = copy_repository(KIND, work / KIND.repository)
    chain = (repository / KIND.ensemble / "config.pbtxt").read_text(encoding="utf-8")
    parts = {KIND.ensemble, *re.findall(r'model_name: "(\w+)"', chain)}
    for model in KIND.models:
        if model not in parts:  # it would be a process that has nothing to do
            shutil.rmtree(repository / model)
    for model, names in KIND.files.items():
        for name in names if model in parts else ():
            shutil.copy(KIND.embedded / name, repository / model / VERSION)
    put_stand_in(repository / KIND.encoder, "offline.py", max_batch, parameters)
    return repository


def _measure(
    server: TritonServer,
    recordings: Sequence[Recording],
    concurrency: int,
    runs_file: Path,
    max_batch: int,
) -> GlueLoad:
    asyncio.run(warm_up(server, KIND.name, recordings))
    before = len(read_runs(runs_file))
    load = asyncio.run(load_server(server, KIND.name, recordings, concurrency))
    runs = read_runs(runs_file)[before:]
    had = sum(rows for rows, _ in runs)
    could = sum(min(rows + waiting, max_batch) for rows, waiting in runs)
    return GlueLoad(**vars(load), mean_batch=had / len(runs), share=had / could)


def read_runs(path: Path) -> list[tuple[int, int]]:
    """Return rows, and requests left waiting, of each run so far."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(int(rows), int(waiting)) for rows, waiting in map(str.split, lines)]
