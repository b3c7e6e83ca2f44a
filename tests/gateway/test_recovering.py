"""A live utterance that goes on after a failure: each sentence is told once, whenever it comes."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from asr_client import AsyncClient, ConnectionFailed, FileOptions
from asr_gateway.live.first_pass import first_pass
from asr_gateway.live.recognition import LiveRecognition, Spoken
from asr_gateway.live.recovering import RecoveringRecognition
from asr_gateway.shared import TritonWatch
from tests.gateway.gateways import spoken_pcm

MODEL = "sensevoice"
PIECE = 960  # samples, 60 ms
HOLD_S = 60.0


class Source:
    """Audio, and a failure whenever one is due."""

    late_s = 0.0

    def __init__(self, waveform: np.ndarray) -> None:
        self._pieces = [waveform[at : at + PIECE] for at in range(0, waveform.size, PIECE)]
        self.failure = asyncio.Event()

    async def take(self) -> np.ndarray | None:
        await asyncio.sleep(0.002)
        if self.failure.is_set():
            self.failure.clear()
            raise ConnectionFailed("the server is lost")
        return self._pieces.pop(0) if self._pieces else None


async def hear(triton_url: str, at: str) -> list[str]:
    """The sentences of an utterance, where the server is lost at a moment of each of them."""
    waveform = np.frombuffer(spoken_pcm(4, seed=3), "<i2").astype(np.float32) / 32768
    sentences: list[str] = []
    reports: list[int] = []
    async with AsyncClient(triton_url) as client:
        options = FileOptions(model=MODEL)
        source = Source(waveform)

        async def report(event) -> None:
            if not isinstance(event, Spoken):
                return
            reports.append(event.index)
            assert len(reports) <= 4, reports
            if at == "before":
                source.failure.set()
                await asyncio.sleep(0.1)
            sentences.append(event.sentence.text)
            if at == "behind":
                source.failure.set()
                await asyncio.sleep(0.1)

        def begin(source, report) -> LiveRecognition:
            sessions = first_pass(client, MODEL, options, (0, 10, 5))
            return LiveRecognition(
                client,
                source,
                options,
                first_pass=sessions,
                second_passes=asyncio.Semaphore(),
                report=report,
            )

        await RecoveringRecognition(source, begin, TritonWatch(client), HOLD_S, report).run()
    return sentences


@pytest.mark.parametrize("at", ["before", "behind"])
def test_a_sentence_that_is_being_told_when_the_server_is_lost_is_told_once(triton_url, at):
    expected = asyncio.run(hear(triton_url, "never"))
    assert len(expected) == 4
    assert asyncio.run(hear(triton_url, at)) == expected
