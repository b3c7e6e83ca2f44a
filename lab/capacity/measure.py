"""Measures what the simulation is compared with, on this machine.

    python -m lab.capacity measure

The chain of `benchmark glue` around its stand-in for the encoder: loads of so many requests at a
time, and requests that come by themselves, whatever is under way. Beside the processor times of the
server stands that of the client: on one machine it takes its part of the cores.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from asr_client import AsyncClient
from asr_contract import SAMPLE_RATE
from asr_contract.cores import usable_cores
from asr_server.places import SAMPLES
from asr_server.run import TritonServer
from lab.benchmark.glue import KIND, read_runs, serving_stand_in
from lab.benchmark.report import describe_machine
from lab.benchmark.server_load import load_server, warm_up
from lab.benchmark.workload import Recording, make_recordings, total_seconds
from lab.capacity.load import pauses_s

_MOST = 1024


def measure(
    run_s: float,
    max_batch: int,
    concurrency: Sequence[int],
    arrivals_per_s: Sequence[float],
    seconds: float,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Return the measured loads of one stand-in, as `calibration` and `comparison` read them.

    Args:
        run_s: time of a run.
        max_batch: rows of a run at most.
        concurrency: requests at a time.
        arrivals_per_s: requests that come in a second.
        seconds: for which they come.
        log: is told how far it is.
    """
    recordings = make_recordings(sorted(SAMPLES.glob("*.wav")), _MOST)
    with serving_stand_in(run_s, max_batch) as (server, runs_file):
        asyncio.run(warm_up(server, KIND.name, recordings))
        loads, arrivals = [], []
        for number in concurrency:
            sent = recordings[: max(16, 8 * number)]
            before, used_s = len(read_runs(runs_file)), time.process_time()
            load = asyncio.run(load_server(server, KIND.name, sent, number))
            client_s = time.process_time() - used_s
            loads.append(
                {
                    **asdict(load),
                    "mean_batch": _mean_batch(runs_file, before),
                    "client_ms": 1000 * client_s / total_seconds(sent),
                }
            )
            log(f"{number} at a time: p50 {load.p50_s:.3f} s")
        for per_s in arrivals_per_s:
            sent = recordings[: min(int(per_s * seconds), _MOST)]
            before = len(read_runs(runs_file))
            latencies = asyncio.run(_send(server, sent, per_s))
            p50_s, p95_s = np.percentile(latencies, [50, 95])
            arrivals.append(
                {
                    "per_s": per_s,
                    "requests": len(sent),
                    "p50_s": float(p50_s),
                    "p95_s": float(p95_s),
                    "mean_batch": _mean_batch(runs_file, before),
                }
            )
            log(f"{per_s:g} a second: p50 {p50_s:.3f} s")
    return {
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
        "cores": usable_cores(),
        "run_s": run_s,
        "max_batch": max_batch,
        "loads": loads,
        "arrivals": arrivals,
    }


async def _send(server: TritonServer, recordings: Sequence[Recording], per_s: float) -> list[float]:
    """Send each recording when it comes; returns how long each took."""
    async with AsyncClient(f"grpc://{server.grpc_url}", timeout_s=300) as client:

        async def recognise(recording: Recording) -> float:
            begun_s = time.monotonic()
            await client.transcribe(recording, model=KIND.name, sample_rate=SAMPLE_RATE)
            return time.monotonic() - begun_s

        under_way, due_s = [], time.monotonic()
        for recording, pause_s in zip(
            recordings, pauses_s(per_s, len(recordings), seed=0), strict=True
        ):
            due_s += pause_s
            await asyncio.sleep(max(due_s - time.monotonic(), 0))
            under_way.append(asyncio.create_task(recognise(recording)))
        return await asyncio.gather(*under_way)


def _mean_batch(runs_file: Path, before: int) -> float:
    return float(np.mean([rows for rows, _ in read_runs(runs_file)[before:]]))
