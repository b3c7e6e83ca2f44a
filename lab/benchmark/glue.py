"""What everything but the encoder costs, and how full its batches are.

SenseVoice's ensemble with the real front end and scoring, and in the place of the graph a stand-in
that takes a fixed time for a run, whatever the batch, as a GPU does.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_client import AsyncClient
from asr_contract import SAMPLE_RATE
from asr_server.models import KINDS, VERSION, copy_repository
from asr_server.run import TritonServer
from asr_server.run.ports import held_ports
from lab.benchmark.running_server import START_TIMEOUT_S
from lab.benchmark.server_statistics import cpu_seconds
from lab.benchmark.workload import Recording, total_seconds

KIND = KINDS["sensevoice"]
STAND_IN = Path(__file__).with_name("stand_in") / "model.py"
WARM_UP = 8
_FEWEST, _PER_PLACE = 16, 8  # recordings for one measurement, and for each request at a time


@dataclass(frozen=True)
class GlueLoad:
    """What came of one number of requests at a time.

    Attributes:
        concurrency: requests under way.
        audio_per_s: seconds of audio answered per second.
        p50_s: latency of a request.
        p95_s: the same.
        mean_batch: rows of a run.
        share: of the rows that waited when a run started, and for which there was room, how many
            were in it.
        cpu_ms: processor time of each process for a second of audio.
    """

    concurrency: int
    audio_per_s: float
    p50_s: float
    p95_s: float
    mean_batch: float
    share: float
    cpu_ms: dict[str, float]


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
            loads = []
            for number in concurrency:
                load = asyncio.run(_measure(server, recordings, number, runs_file, max_batch))
                log(f"{number} at a time: {load.audio_per_s:.0f} s of audio per second")
                loads.append(load)
    return GlueResult(run_s, max_batch, loads)


def _with_stand_in(work: Path, max_batch: int, parameters: dict[str, str]) -> Path:
    """Return SenseVoice's repository with the embedded model's tables and the stand-in."""
    repository = copy_repository(KIND, work / KIND.repository)
    for model, names in KIND.files.items():
        for name in names:
            shutil.copy(KIND.embedded / name, repository / model / VERSION)
    encoder = repository / KIND.encoder
    shutil.copy(STAND_IN, encoder / VERSION)
    path = encoder / "config.pbtxt"
    lines = [
        line for line in path.read_text().splitlines() if not line.startswith(("parameters", "def"))
    ]
    text = "\n".join(lines)
    text = re.sub(r"batch_input \[.*?\n\]\n", "", text, flags=re.DOTALL)
    text = re.sub(r"# >>> configure_gpu.*", "", text, flags=re.DOTALL)
    text = text.replace('backend: "onnxruntime"', 'backend: "python"')
    text = text.replace("KIND_AUTO", "KIND_CPU").replace("reshape: { shape: [ ] }", "")
    text = re.sub(r"max_batch_size: \d+", f"max_batch_size: {max_batch}", text)
    for key, value in parameters.items():
        text += f'\nparameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
    path.write_text(text + "\n")
    return repository


async def _measure(
    server: TritonServer,
    recordings: Sequence[Recording],
    concurrency: int,
    runs_file: Path,
    max_batch: int,
) -> GlueLoad:
    async with AsyncClient(f"grpc://{server.grpc_url}", timeout_s=300) as client:

        async def recognise(recording: Recording) -> float:
            begun = time.monotonic()
            await client.transcribe(recording, sample_rate=SAMPLE_RATE)
            return time.monotonic() - begun

        await asyncio.gather(*map(recognise, recordings[:WARM_UP]))
        before_runs = len(_read_runs(runs_file))
        before = cpu_seconds(server.pid)
        begun = time.monotonic()
        sent = recordings[: max(_FEWEST, _PER_PLACE * concurrency)]
        remaining = iter(sent)

        async def work() -> list[float]:
            return [await recognise(recording) for recording in remaining]

        done = await asyncio.gather(*(work() for _ in range(concurrency)))
        latencies = sorted(latency for each in done for latency in each)
        elapsed_s = time.monotonic() - begun
    used = {name: now - before[name] for name, now in cpu_seconds(server.pid).items()}
    audio_s = total_seconds(sent)
    runs = _read_runs(runs_file)[before_runs:]
    had = sum(rows for rows, _ in runs)
    could = sum(min(rows + waiting, max_batch) for rows, waiting in runs)
    return GlueLoad(
        concurrency,
        audio_s / elapsed_s,
        latencies[len(latencies) // 2],
        latencies[int(0.95 * (len(latencies) - 1))],
        had / len(runs),
        had / could,
        {name: 1000 * seconds / audio_s for name, seconds in used.items()},
    )


def _read_runs(path: Path) -> list[tuple[int, int]]:
    """Return rows, and requests left waiting, of each run so far."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(int(rows), int(waiting)) for rows, waiting in map(str.split, lines)]
