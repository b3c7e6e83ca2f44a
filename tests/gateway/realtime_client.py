"""OpenAI's own client of the Realtime API; each event has to be what its types say, strictly."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, get_args

import numpy as np
import openai
import soxr
from openai.types.realtime import RealtimeServerEvent

from asr_contract import SAMPLE_RATE
from tests.gateway.gateways import RunningGateway

RATE = 24_000
PIECE_S = 0.1
_TYPES = {
    kind: event
    for event in get_args(get_args(RealtimeServerEvent)[0])
    for kind in get_args(event.model_fields["type"].annotation)
}
COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"


def at_24_khz(audio: bytes) -> bytes:
    """16 kHz PCM at OpenAI's rate."""
    samples = np.frombuffer(audio, "<i2")
    return soxr.resample(samples, SAMPLE_RATE, RATE).astype("<i2").tobytes()


class Realtime:
    """A connection of OpenAI's package.

    Attributes:
        events: all that came, as JSON.
    """

    def __init__(self, connection: Any, *, strict: bool = True) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self._strict = strict

    async def next(self) -> dict[str, Any]:
        """The next event; it has to be what OpenAI's types say, strictly."""
        data = await self.connection.recv_bytes()
        event = json.loads(data)
        if self._strict:
            _check(event)
        self.events.append(event)
        return event

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Events up to the one that is the last of so many of a type."""
        received: list[dict[str, Any]] = []
        while count:
            received.append(await self.next())
            if received[-1]["type"] == "error" and kind != "error":
                raise AssertionError(received[-1])
            count -= received[-1]["type"] == kind
        return received

    async def configure(self, **audio_input: Any) -> dict[str, Any]:
        """Set something of the input; gives what the gateway says of the session then."""
        session = {"type": "transcription", "audio": {"input": audio_input}}
        await self.connection.session.update(session=session)
        return (await self.until("session.updated"))[-1]["session"]

    async def append(self, audio: bytes, bytes_per_s: int = 2 * RATE) -> None:
        """Append audio in pieces."""
        size = int(PIECE_S * bytes_per_s) // 2 * 2
        for first in range(0, len(audio), size):
            piece = base64.b64encode(audio[first : first + size]).decode()
            await self.connection.input_audio_buffer.append(audio=piece)


def _check(event: dict[str, Any]) -> None:
    """Compare an event with OpenAI's type; other rates than OpenAI's are this gateway's own."""
    event = copy.deepcopy(event)
    if "session" in event:
        event["session"]["audio"]["input"]["format"]["rate"] = RATE
    found = _TYPES[event["type"]].model_validate(event, strict=True)
    assert found.model_extra is None or set(found.model_extra) <= {"warnings", "doubtful"}


@asynccontextmanager
async def realtime(
    gateway: RunningGateway, *, api_key: str = "none", strict: bool = True, **query: str
) -> AsyncIterator[Realtime]:
    """A session of a gateway, behind its first event."""
    async with (
        openai.AsyncOpenAI(base_url=f"{gateway.http}/v1", api_key=api_key) as client,
        client.realtime.connect(extra_query=query or {"intent": "transcription"}) as connection,
    ):
        session = Realtime(connection, strict=strict)
        first = await session.next()
        assert first["type"] == "session.created"
        yield session


def of_type(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those events."""
    return [event for event in events if event["type"] == kind]
