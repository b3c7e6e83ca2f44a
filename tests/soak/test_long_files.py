"""Three hours through the pipeline: memory stays, and long files do not starve short ones.

Fifty files at once on two cores wait for each other whatever else runs, so the short ones come one
after the other, as from one user, beside two long files that are read as fast as the server goes.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from asr_client import AsyncClient, Client, Sentence
from asr_contract import SAMPLE_RATE
from lab.benchmark.server_statistics import memory_mb
from tests.recordings import heldout
from tests.serving import EMBEDDED, serve_models
from tests.streams import wait_for_open_sessions

pytestmark = pytest.mark.soak

HOURS = 3.0
MAX_GROWTH_MB = 200
SHORT_FILES = 50
LONG_S = 1800
MAX_SLOWDOWN = 3.0  # p95 of the short files beside two long ones, over their p95 by themselves


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serve_models(tmp_path_factory.mktemp("long"), EMBEDDED) as server:
        yield server


def talk(path: Path, seconds: float, seed: int) -> Path:
    """Write held-out utterances with pauses."""
    rng = np.random.default_rng(seed)
    spoken = [samples for _, text, samples in heldout() if text]
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1) as file:
        while file.frames < seconds * SAMPLE_RATE:
            file.write(spoken[int(rng.integers(len(spoken)))])
            file.write(np.zeros(int(rng.uniform(0.3, 2.0) * SAMPLE_RATE), np.float32))
    return path


def test_memory_of_three_hours(server, tmp_path):
    path = talk(tmp_path / "long.flac", 3600 * HOURS, 0)
    with Client(f"grpc://{server.grpc_url}") as client:
        client.transcribe_file(talk(tmp_path / "warm.flac", 300, 1))
        process = psutil.Process()
        before_mb = process.memory_info().rss / 1e6
        server_before_mb = sum(memory_mb(server.pid).values())
        most_mb, latest_ms, count = 0.0, 0, 0
        with client.stream_file(path) as file:
            for sentence in file:
                assert latest_ms <= sentence.start_ms <= sentence.end_ms
                latest_ms, count = sentence.end_ms, count + 1
                if count % 50 == 0:
                    most_mb = max(most_mb, process.memory_info().rss / 1e6)
        server_growth_mb = sum(memory_mb(server.pid).values()) - server_before_mb
        summary = file.summary
    print(f"{count} sentences, {summary}")
    print(f"client grew by {most_mb - before_mb:.0f} MB, server by {server_growth_mb:.0f} MB")
    assert summary.duration_s >= 3600 * HOURS
    assert latest_ms > 1000 * (summary.duration_s - 60)
    assert most_mb - before_mb < MAX_GROWTH_MB
    assert server_growth_mb < MAX_GROWTH_MB
    wait_for_open_sessions(server, 0, model="vad")


def test_two_long_and_fifty_short_files(server, tmp_path):
    long = [talk(tmp_path / f"long{i}.flac", LONG_S, i) for i in range(2)]
    short = [talk(tmp_path / f"short{i}.flac", 5, 100 + i) for i in range(SHORT_FILES)]
    begun = [asyncio.Event() for _ in long]

    async def run() -> None:
        async with AsyncClient(f"grpc://{server.grpc_url}") as client:

            async def timed(path: Path) -> tuple[list[Sentence], float]:
                start_s = time.monotonic()
                result = await client.transcribe_file(path)
                return result.sentences, time.monotonic() - start_s

            async def read(path: Path, first: asyncio.Event) -> list[Sentence]:
                sentences = []
                async with client.stream_file(path) as file:
                    async for sentence in file:
                        first.set()
                        sentences.append(sentence)
                return sentences

            alone = [(await client.transcribe_file(path)).sentences for path in long]
            short_alone = [await timed(path) for path in short]
            reading = [asyncio.create_task(read(*pair)) for pair in zip(long, begun, strict=True)]
            for event in begun:
                await event.wait()
            short_beside = [await timed(path) for path in short]
            assert not any(task.done() for task in reading)
            assert await asyncio.gather(*reading) == alone
        assert [sentences for sentences, _ in short_beside] == [s for s, _ in short_alone]
        p95 = [np.percentile([s for _, s in each], 95) for each in (short_alone, short_beside)]
        print(
            f"p95 of {SHORT_FILES} short files: by themselves {p95[0]:.2f} s, beside two long ones "
            f"{p95[1]:.2f} s, {p95[1] / p95[0]:.2f} times as long"
        )
        assert p95[1] < MAX_SLOWDOWN * p95[0]

    asyncio.run(run())
