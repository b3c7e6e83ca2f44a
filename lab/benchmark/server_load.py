"""Recordings sent to a server, so many at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from asr_client import AsyncClient
from asr_contract import SAMPLE_RATE
from asr_server.run import TritonServer
from lab.benchmark.server_statistics import cpu_seconds
from lab.benchmark.workload import Recording, total_seconds

_WARM_UP = 8
_FEWEST, _PER_PLACE = 16, 8  # recordings for one measurement, and for each request at a time


@dataclass(frozen=True)
class ServerLoad:
    """What came of one number of requests at a time.

    Attributes:
        concurrency: requests under way.
        audio_per_s: seconds of audio answered per second.
        p50_s: latency of a request.
        p95_s: the same.
        cpu_ms: processor time of each process of the server for a second of audio.
    """

    concurrency: int
    audio_per_s: float
    p50_s: float
    p95_s: float
    cpu_ms: dict[str, float]


async def warm_up(server: TritonServer, model: str, recordings: Sequence[Recording]) -> None:
    """Send the first of the recordings, all at a time."""
    async with AsyncClient(f"grpc://{server.grpc_url}", timeout_s=300) as client:
        await asyncio.gather(
            *(client.transcribe(one, model=model, sample_rate=SAMPLE_RATE)
              for one in recordings[:_WARM_UP])
        )  # fmt: skip


async def load_server(
    server: TritonServer, model: str, recordings: Sequence[Recording], concurrency: int
) -> ServerLoad:
    """Send recordings, each next one when an answer has come.

    Args:
        server: which.
        model: the client's name of it.
        recordings: float32 at 16 kHz each; few requests at a time get the first of them.
        concurrency: requests at a time.
    """
    async with AsyncClient(f"grpc://{server.grpc_url}", timeout_s=300) as client:

        async def recognise(recording: Recording) -> float:
            begun = time.monotonic()
            await client.transcribe(recording, model=model, sample_rate=SAMPLE_RATE)
            return time.monotonic() - begun

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
    return ServerLoad(
        concurrency,
        audio_s / elapsed_s,
        latencies[len(latencies) // 2],
        latencies[int(0.95 * (len(latencies) - 1))],
        {name: 1000 * seconds / audio_s for name, seconds in used.items()},
    )
