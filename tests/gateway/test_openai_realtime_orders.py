"""The Realtime API with events in any order, by ears that need no models."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client import Sentence
from asr_contract import SAMPLE_RATE
from asr_gateway.live import Admission, Bound, Partial, Spoken
from asr_gateway.live.channel import ChannelClosed
from asr_gateway.realtime.connection import RealtimeConnection
from asr_gateway.realtime.options import SessionOptions
from asr_gateway.shared import Gateway, GatewaySettings
from tests.gateway.realtime_client import COMPLETED, DELTA, of_type

BUFFER = "input_audio_buffer."
FRAME = SAMPLE_RATE // 100
LEVELS = 100  # one for each thing that is said
PAUSE_FRAMES = 12
LEAST_FRAMES = 10  # that can be committed
PATIENCE_S = 30


class Ears:
    """In the place of `LiveRecognition`: says how loud each stretch is, as a character."""

    def __init__(self, client, source, options, *, first_pass, second_passes, report) -> None:
        self._source, self._report = source, report
        self._spoken: asyncio.Queue[tuple[int, int, int, str] | None] = asyncio.Queue()
        self.heard_samples = self.reported_ms = self.count = 0

    @property
    def next_report(self) -> tuple[int, int | None]:
        return self.count, None

    async def run(self) -> None:
        await asyncio.gather(self._listen(), self._tell())

    async def _listen(self) -> None:
        rest, level, silent, start_ms, at_ms = np.zeros(0, np.float32), 0, 0, 0, 0
        while (piece := await self._source.take()) is not None:
            self.heard_samples += piece.size
            rest = np.concatenate([rest, piece])
            while rest.size >= FRAME:
                now = round(LEVELS * float(np.median(np.abs(rest[:FRAME]))))
                rest = rest[FRAME:]
                silent = 0 if now else silent + 1
                if level and (silent >= PAUSE_FRAMES or (now and now != level)):
                    await self._end(start_ms, at_ms, level)
                    level = 0
                if now and not level:
                    level, start_ms = now, at_ms
                    await self._report(Bound("began", self.count, start_ms))
                    await self._report(
                        Partial(chr(0x4E00 + level), self.count, True, start_ms, None, at_ms)
                    )
                at_ms += 10
        if level:
            await self._end(start_ms, at_ms, level)
        await self._spoken.put(None)

    async def _end(self, start_ms: int, end_ms: int, level: int) -> None:
        await self._report(Bound("ended", self.count, end_ms))
        await self._spoken.put((self.count, start_ms, end_ms, chr(0x4E00 + level)))
        self.count += 1

    async def _tell(self) -> None:
        while (spoken := await self._spoken.get()) is not None:
            index, start_ms, end_ms, text = spoken
            for _ in range(index % 3 * 5):  # whatever comes meanwhile
                await asyncio.sleep(0)
            await self._report(Spoken(Sentence(text, start_ms, end_ms), index, end_ms))
            await self._report(Bound("reported", index, end_ms))


@dataclass
class Client:
    """A channel whose client says these events, and hears what is told."""

    says: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    heard: list[dict] = field(default_factory=list)

    async def receive(self) -> str:
        text = await self.says.get()
        if not text:
            raise ChannelClosed
        await asyncio.sleep(0)
        return text

    async def send(self, reply: dict) -> None:
        await asyncio.sleep(0)
        self.heard.append(reply)

    async def close(self, code: int, reason: str) -> None: ...

    def say(self, kind: str, **fields: object) -> None:
        self.says.put_nowait(json.dumps({"type": kind, **fields}))

    def update(self, **audio_input: object) -> None:
        self.say(
            "session.update", session={"type": "transcription", "audio": {"input": audio_input}}
        )

    def append(self, samples: np.ndarray, size: int) -> None:
        data = (samples * 32767).astype("<i2").tobytes()
        for first in range(0, len(data), size):
            piece = base64.b64encode(data[first : first + size]).decode()
            self.say(BUFFER + "append", audio=piece)


STEPS = st.one_of(
    st.tuples(st.just("speak"), st.integers(1, 30), st.sampled_from([319, 3200, 100_000])),
    st.tuples(st.just("pause"), st.integers(1, 60), st.just(3201)),
    st.tuples(st.sampled_from(["commit", "clear", "vad", "no vad", "language", "wrong"])),
)


def connect(gateway: Gateway, client: Client) -> RealtimeConnection:
    admission = Admission(1, "", lambda: None)
    return RealtimeConnection(gateway, client, admission, options=SessionOptions(), older=False)


async def speak(steps: Sequence[tuple]) -> tuple[list[dict], list[str], set[str]]:
    """What is told of these steps; what was said in them, and what of it may have been cleared."""
    client, said, cleared, open_ = Client(), list[str](), set[str](), list[str]()
    frames = 0  # that were appended since something else was said
    gateway = Gateway(GatewaySettings())
    connection = connect(gateway, client)
    client.update(format={"type": "audio/pcm", "rate": SAMPLE_RATE})
    for step in [*steps, ("no vad",), ("pause", 60, 3200), ("commit",)]:
        what, *more = step
        frames = frames + more[0] if more else frames
        if what == "speak":
            said.append(chr(0x4E01 + len(said)))
            open_.append(said[-1])
            client.append(np.full(more[0] * FRAME, len(said) / LEVELS), more[1])
        elif what == "pause":
            client.append(np.zeros(more[0] * FRAME), more[1])
        elif what == "language":
            client.update(transcription={"language": "en" if len(said) % 2 else "zh"})
        elif what == "wrong":
            client.say("response.create", event_id="e")
        elif what in ("vad", "no vad"):
            client.update(turn_detection=None if what == "no vad" else {"type": "server_vad"})
        else:
            client.say(BUFFER + what)
            cleared |= set(open_) if what == "clear" else set()
            open_ = open_ if what == "commit" and frames < LEAST_FRAMES else []
        frames = frames if more else 0
    await serve_until_told(connection, client)
    await gateway.close()
    return client.heard, said, cleared


async def serve_until_told(connection: RealtimeConnection, client: Client) -> None:
    """Answer what the client says, and one event more, and end."""
    client.say("response.create", event_id="the last")
    serving = asyncio.create_task(connection.run())
    await asyncio.wait_for(all_told(client.heard), PATIENCE_S)
    client.says.put_nowait("")
    await serving


async def all_told(events: list[dict]) -> None:
    """Wait until the last event is answered, and each item has its text."""

    def are_told() -> bool:
        items = of_type(events, BUFFER + "committed")
        is_last = errors_of(events)[-1:] == ["the last"]
        return is_last and len(of_type(events, COMPLETED)) == len(items)

    while not are_told():
        await asyncio.sleep(0.001)


def errors_of(events: list[dict]) -> list[str]:
    """The events that were refused, but for commits of nothing."""
    errors = [event["error"] for event in of_type(events, "error")]
    return [each["event_id"] for each in errors if each["event_id"] is not None]


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=14))
def test_whatever_comes_is_told_once_and_in_order(steps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asr_gateway.live.recovering.LiveRecognition", Ears)
        events, said, cleared = asyncio.run(speak(steps))
    items = of_type(events, BUFFER + "committed")
    ids = [event["item_id"] for event in items]
    assert [event["previous_item_id"] for event in items] == [None, *ids][: len(ids)]
    completed = of_type(events, COMPLETED)
    assert sorted(event["item_id"] for event in completed) == sorted(set(ids))
    for item in ids:
        own = [event["type"] for event in events if event.get("item_id") == item]
        assert own.index(BUFFER + "committed") < own.index(COMPLETED) == len(own) - 1
        starts = of_type(events, BUFFER + "speech_started")
        assert own.count(BUFFER + "speech_stopped") == sum(e["item_id"] == item for e in starts)
    texts = {event["item_id"]: event["transcript"] for event in completed}
    heard = "".join(texts[item] for item in ids)
    for item, text in texts.items():
        deltas = [e["delta"] for e in of_type(events, DELTA) if e["item_id"] == item]
        assert "".join(deltas) == text
    assert list(heard) == sorted(heard), "in the order in which it was said"
    assert set(said) - cleared <= set(heard) <= set(said)
    assert errors_of(events) == ["e"] * steps.count(("wrong",)) + ["the last"]


async def commit_within_a_sample(*between: str) -> list[str]:
    """The texts of two items, of which the second begins with the other byte of a sample."""
    client, gateway = Client(), Gateway(GatewaySettings())
    connection = connect(gateway, client)
    client.update(format={"type": "audio/pcm", "rate": SAMPLE_RATE}, turn_detection=None)
    levels = np.repeat([1 / LEVELS, 2 / LEVELS], 30 * FRAME)
    data = (levels * 32767).astype("<i2").tobytes()
    middle = len(data) // 2 + 1
    for part in (data[:middle], data[middle:] if not between else data[middle - 1 :]):
        client.say(BUFFER + "append", audio=base64.b64encode(part).decode())
        client.say(BUFFER + "commit")
        for kind in between:
            client.say(BUFFER + kind)
    await serve_until_told(connection, client)
    await gateway.close()
    return [event["transcript"] for event in of_type(client.heard, COMPLETED)]


@pytest.mark.parametrize("between", [(), ("clear",)])
def test_a_commit_does_not_part_a_sample(between, monkeypatch):
    monkeypatch.setattr("asr_gateway.live.recovering.LiveRecognition", Ears)
    assert asyncio.run(commit_within_a_sample(*between)) == ["\u4e01", "\u4e02"]
