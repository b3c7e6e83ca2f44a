"""Models that stand still: each door takes so much audio and no more, and loses nothing of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager

import pytest

from asr_client.files import SegmentRecogniser
from asr_gateway.live import AudioInbox
from tests.gateway.gateways import (
    RunningGateway,
    client_of,
    replies,
    send_utterance,
    spoken_pcm,
    texts,
)
from tests.gateway.realtime_client import COMPLETED, of_type, realtime

TURNS = 10
AUDIO = spoken_pcm(3) * TURNS  # 16 kHz
AUDIO_S = len(AUDIO) / 32000
MAX_TAKEN_S = 45.0  # the inbox's 5 s, a piece on its way, and the four stretches that are open
STILL_S = 5.0
PCM_16 = {"type": "audio/pcm", "rate": 16000}
VAD = {"type": "server_vad", "silence_duration_ms": 800, "prefix_padding_ms": 200}

Still = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def inboxes(monkeypatch) -> list[AudioInbox]:
    """Those of all utterances that begin meanwhile."""
    made: list[AudioInbox] = []

    class Watched(AudioInbox):
        def __init__(self, *args: int) -> None:
            super().__init__(*args)
            made.append(self)

    for module in ("funasr.listener", "realtime.utterance"):
        monkeypatch.setattr(f"asr_gateway.{module}.AudioInbox", Watched)
    return made


@pytest.fixture
def stopped_triton(triton) -> Still:
    @contextmanager
    def still():
        os.kill(triton.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(triton.pid, signal.SIGCONT)

    return still


@pytest.fixture
def stopped_second_passes(monkeypatch) -> Still:
    """The VAD goes on, so that stretch after stretch ends."""
    going = asyncio.Event()
    whole = SegmentRecogniser.recognise

    async def waiting(self, segment):
        while not going.is_set():
            await asyncio.sleep(0.05)
        return await whole(self, segment)

    @contextmanager
    def still():
        going.clear()
        try:
            yield
        finally:
            going.set()

    going.set()
    monkeypatch.setattr(SegmentRecogniser, "recognise", waiting)
    return still


async def funasr(gateway: RunningGateway, mode: str) -> list[str]:
    async with client_of(gateway) as socket:
        sending = asyncio.create_task(send_utterance(socket, AUDIO, mode=mode))
        heard = await replies(socket)
        await sending
    if mode == "2pass":
        return texts(heard, "2pass-offline")
    return ["".join(texts(heard, "online"))]  # it depends on the pace what comes together


async def openai(gateway: RunningGateway, turn_detection: dict | None) -> list[str]:
    async with realtime(gateway) as session:
        await session.configure(format=PCM_16, turn_detection=turn_detection)

        async def send() -> None:
            await session.append(AUDIO, 32000)
            if turn_detection is None:
                await session.connection.input_audio_buffer.commit()

        sending = asyncio.create_task(send())
        events = await session.until(COMPLETED, 1 if turn_detection is None else 3 * TURNS)
        await sending
    return [event["transcript"] for event in of_type(events, COMPLETED)]


DOORS = {
    "2pass": lambda gateway: funasr(gateway, "2pass"),
    "online": lambda gateway: funasr(gateway, "online"),
    "realtime": lambda gateway: openai(gateway, VAD),
    "realtime that commits": lambda gateway: openai(gateway, None),
}


async def with_a_break(
    gateway: RunningGateway, door: str, inboxes: list[AudioInbox], still: Still
) -> tuple[list[str], float]:
    """What is heard where the models stand still for a while, and how much was taken then, in s."""
    hearing = asyncio.create_task(DOORS[door](gateway))
    while not inboxes or not inboxes[-1].received_s:
        await asyncio.sleep(0.001)
    with still():
        before_s = inboxes[-1].received_s
        await asyncio.sleep(STILL_S)
        taken_s = inboxes[-1].received_s
        await asyncio.sleep(STILL_S / 5)
        assert inboxes[-1].received_s == taken_s < AUDIO_S
    return await hearing, taken_s - before_s


def check(gateway: RunningGateway, door: str, inboxes: list[AudioInbox], still: Still) -> None:
    expected = asyncio.run(DOORS[door](gateway))
    inboxes.clear()
    heard, taken_s = asyncio.run(with_a_break(gateway, door, inboxes, still))
    assert heard == expected and any(heard)
    assert taken_s < MAX_TAKEN_S < AUDIO_S / 2


@pytest.mark.parametrize("door", DOORS)
def test_triton(gateway, inboxes, stopped_triton, door):
    check(gateway, door, inboxes, stopped_triton)


@pytest.mark.parametrize("door", [door for door in DOORS if door != "online"])
def test_second_passes(gateway, inboxes, stopped_second_passes, door):
    check(gateway, door, inboxes, stopped_second_passes)
