"""What a session of the Realtime API is told to be, in both forms."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from tests.gateway.gateways import client_of, spoken_pcm
from tests.gateway.realtime_client import COMPLETED

PCM_16 = {"type": "audio/pcm", "rate": 16_000}
LOGPROBS = "item.input_audio_transcription.logprobs"
BUFFER = "input_audio_buffer."
AUDIO = base64.b64encode(spoken_pcm(1)).decode()


@pytest.mark.parametrize("headers", [{}, {"OpenAI-Beta": "realtime=v1"}])
def test_each_update_is_answered_in_its_own_form(gateway, headers):
    """What the older one leaves out stays, too."""
    older = {"type": "transcription_session.update"}
    newer = {"type": "transcription", "audio": {"input": {"format": PCM_16}}}
    steps = [
        ({**older, "session": {"include": [LOGPROBS]}}, "transcription_session.updated"),
        ({**older, "session": {"turn_detection": None}}, "transcription_session.updated"),
        ({"type": "session.update", "session": newer}, "session.updated"),
        ({"type": BUFFER + "append", "audio": AUDIO}, None),
        ({"type": BUFFER + "commit"}, "conversation.item.done"),
    ]

    async def run() -> dict:
        path = "/v1/realtime?intent=transcription"
        async with client_of(gateway, path, additional_headers=headers) as socket:
            await socket.recv()
            for event, kind in steps:
                await socket.send(json.dumps(event))
                told = {"type": None}
                while kind not in (None, told["type"]):
                    told = json.loads(await socket.recv())
                    assert told["type"] != "error"
                if kind is not None and "session" in told:
                    assert told["session"]["include"] == [LOGPROBS]
            while told["type"] != COMPLETED:
                told = json.loads(await socket.recv())
            return told

    assert asyncio.run(run())["logprobs"]
