"""A gateway whose models do not keep up: what it leaves out, and whom it refuses."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import numpy as np
import pytest

from asr_client import AsyncStreamSession
from asr_client.files import SegmentRecogniser
from asr_gateway.live import AudioInbox
from asr_gateway.live.admission import serve_session
from asr_gateway.live.first_pass import FirstPass
from asr_gateway.live.pace import Pace
from asr_gateway.shared import Gateway, GatewaySettings, TooManySessions
from tests.gateway.gateways import (
    END,
    FRAME,
    begin,
    client_of,
    recognise,
    replies,
    spoken_pcm,
    texts,
)

STEP = 3200  # samples that are worth a request
AUDIO = spoken_pcm(1)


def test_audio_is_late_from_when_it_could_be_taken():
    async def run() -> None:
        inbox = AudioInbox(16000, STEP)
        await inbox.put(bytes(STEP))  # half a piece: whoever speaks is to say more
        await asyncio.sleep(0.05)
        assert inbox.late_s == 0
        await inbox.put(bytes(STEP))
        await inbox.put(bytes(2 * STEP))
        assert inbox.late_s < 0.05
        await asyncio.sleep(0.05)
        assert inbox.late_s >= 0.05
        await inbox.take()
        assert inbox.late_s >= 0.05  # whoever took it is that late
        await inbox.put(bytes(4 * STEP))
        await inbox.take()
        assert inbox.late_s < 0.05

    asyncio.run(run())


class Late:
    """A source, and a session, of stated delay."""

    unanswered_s = late_s = 0.0


def test_partial_texts_are_spared_while_something_is_late(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("asr_gateway.live.pace.time.monotonic", lambda: clock[0])
    source, session = Late(), Late()
    pace = Pace(source)
    pace.begin()
    assert not pace.spares_partials(0, session)
    session.unanswered_s = 3.5
    assert not pace.spares_partials(5, session)  # a file, whose texts come in order
    clock[0] += 5
    assert pace.spares_partials(5, session)
    assert pace.spares_partials(5, None)  # the next stretch, too
    clock[0] += 11
    assert not pace.spares_partials(16, None)
    source.late_s = 3.5
    assert pace.spares_partials(16, None)


def test_sentences_come_without_partial_texts_where_the_first_pass_does_not_answer(
    gateway, monkeypatch
):
    expected = sentences(asyncio.run(recognise(gateway, AUDIO)))
    # The gateway runs in this process: to it the streaming model seems to be late.
    monkeypatch.setattr(AsyncStreamSession, "acknowledged_s", property(lambda _: -10.0))

    async def speak() -> list:
        async with client_of(gateway) as socket:
            await socket.send(begin())
            for first in range(0, len(AUDIO), FRAME):
                await socket.send(AUDIO[first : first + FRAME])
                await asyncio.sleep(FRAME / 32000)
            await socket.send(END)
            return await replies(socket)

    heard = asyncio.run(speak())
    assert sentences(heard) == expected != []
    partials = [reply["text"] for reply in heard if reply["mode"] == "2pass-online"]
    assert len("".join(partials)) < len("".join(expected)) / 2  # what a first request brought


def sentences(heard: list) -> list[str]:
    return [reply["text"] for reply in heard if reply["mode"] == "2pass-offline" and reply["text"]]


@pytest.mark.parametrize(("late_s", "refused"), [((9, 9, 0), True), ((9, 7, 0), False)])
def test_nobody_is_let_in_while_half_of_the_sessions_are_late(late_s, refused):
    class Ended:
        client = "somebody"

        async def run(self) -> None:
            pass

    class Answers:
        async def answers(self) -> bool:
            return True

    async def run() -> None:
        gateway = Gateway(GatewaySettings())
        gateway.triton = Answers()
        with ExitStack() as open_sessions:
            for seconds in late_s:
                inbox = Late()
                inbox.late_s, inbox.waiting_s = seconds, 0
                open_sessions.enter_context(gateway.metrics.counting(inbox))
            try:
                await serve_session(gateway, "somebody", lambda *_: Ended())
                assert not refused
            except TooManySessions as refusal:
                assert refused and refusal.reason == "late"
                assert "9 s late; come again in" in str(refusal)
        await gateway.close()

    asyncio.run(run())


def test_the_streaming_model_is_sent_whole_chunks():
    class Session:
        sent_s, acknowledged_s = 0.0, 0.0

        def __init__(self) -> None:
            self.sizes: list[int] = []

        async def open(self) -> None: ...

        async def send(self, waveform) -> None:
            self.sizes.append(waveform.size)

        async def updates(self): ...

        async def finish(self) -> None: ...

        async def close(self) -> None: ...

    async def run() -> None:
        session = Session()
        chunks = FirstPass(session, 9600)
        for size in (7000, 3200, 3200, 3200, 3200, 100, 30_000, 3200):
            await chunks.send(np.zeros(size, np.float32))
        # with the piece that ends a chunk, wherever the next one begins
        assert session.sizes == [10_200, 9600, 30_100]
        await chunks.flush()
        assert session.sizes == [10_200, 9600, 30_100, 3200]

    asyncio.run(run())


def test_so_many_stretches_are_recognised_at_a_time(gateway, monkeypatch):
    """Those of all sessions together; the others wait, and none is lost."""
    under_way, most = 0, 0
    whole = SegmentRecogniser.recognise

    async def counted(self, segment):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            await asyncio.sleep(0.05)  # in which others could begin
            return await whole(self, segment)
        finally:
            under_way -= 1

    async def run() -> list[list[str]]:
        talks = [recognise(gateway, AUDIO) for _ in range(8)]
        return [texts(each, "2pass-offline") for each in await asyncio.gather(*talks)]

    monkeypatch.setattr(SegmentRecogniser, "recognise", counted)
    monkeypatch.setattr(gateway.server.gateway, "second_passes", asyncio.Semaphore(2))
    heard = asyncio.run(run())
    assert most == 2
    assert all(heard) and len(set(map(tuple, heard))) == 1
