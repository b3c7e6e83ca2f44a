"""What a session of the Realtime API is told to be, in both forms."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from tests.gateway.gateways import client_of, running_gateway, spoken_pcm
from tests.gateway.realtime_client import COMPLETED, realtime

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


def test_a_prompt_that_is_no_list_is_told_with_each_item(gateway):
    transcription = {"prompt": "[music] in the background", "keywords": ["南京"]}

    async def run() -> dict:
        async with realtime(gateway) as session:
            await session.configure(format=PCM_16, transcription=transcription, turn_detection=None)
            await session.append(spoken_pcm(1), 32_000)
            await session.connection.input_audio_buffer.commit()
            return (await session.until(COMPLETED))[-1]

    (warning,) = asyncio.run(run())["warnings"]
    assert warning.startswith("some hotwords are not used: ") and "broken JSON" in warning


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, (300, 500)),  # OpenAI's
        ({"lookback_time_start_point": 150, "max_end_silence_time": 900}, (150, 900)),
    ],
)
def test_what_is_not_said_of_the_vad_is_as_the_session_was_made(triton_url, own, expected):
    """Also behind a model that has none."""
    updates = [
        {"turn_detection": {"type": "server_vad"}},
        {"turn_detection": None},
        {"turn_detection": {"type": "server_vad", "threshold": 0.6}},
    ]
    models = ["gpt-realtime-whisper", "whisper-1"]

    async def run(gateway) -> list[dict]:
        told = []
        async with realtime(gateway) as session:
            told += [session.events[0]["session"]]
            for update in updates:
                told += [await session.configure(**update)]
        async with realtime(gateway) as session:
            for model in models:
                told += [await session.configure(transcription={"model": model})]
        return [each["audio"]["input"]["turn_detection"] for each in told]

    with running_gateway(triton_url, vad_options=own) as gateway:
        told = asyncio.run(run(gateway))
    assert told[2] is None and told[4] is None
    for detection in (told[0], told[1], told[3], told[5]):
        assert (detection["prefix_padding_ms"], detection["silence_duration_ms"]) == expected
    assert [told[at]["threshold"] for at in (0, 1, 3)] == [0.5, 0.5, 0.6]
