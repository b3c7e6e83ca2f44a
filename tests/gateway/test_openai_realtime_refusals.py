"""What the Realtime API refuses: an event that says why, and the session goes on."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets

import pytest
import websockets
from openai.types.realtime import RealtimeErrorEvent

from tests.gateway.gateways import client_of, running_gateway, spoken_pcm, wait_for_no_session
from tests.gateway.realtime_client import COMPLETED, Realtime, realtime

PATH = "/v1/realtime?intent=transcription"
INPUT = "session.audio.input"


def update(**audio_input: object) -> dict:
    session = {"type": "transcription", "audio": {"input": audio_input}}
    return {"type": "session.update", "session": session}


def vad(**fields: object) -> dict:
    return update(turn_detection={"type": "server_vad", **fields})


def older(**session: object) -> dict:
    return {"type": "transcription_session.update", "session": session}


# event, the field to blame, code
REFUSED = [
    ({}, "type", "invalid_value"),
    ({"type": 3}, "type", "invalid_value"),
    ({"type": ["session.update"]}, "type", "invalid_value"),
    ({"type": "response.create"}, "type", "invalid_value"),
    ({"type": "conversation.item.create", "item": {}}, "type", "invalid_value"),
    ({"type": "session.update"}, "session", "invalid_type"),
    ({"type": "session.update", "session": []}, "session", "invalid_type"),
    ({"type": "session.update", "session": {}}, "session.type", "invalid_value"),
    ({"type": "session.update", "session": {"type": "realtime"}}, "session.type", "invalid_value"),
    (
        {"type": "session.update", "session": {"type": "transcription", "voice": "alloy"}},
        "session.voice",
        "unknown_parameter",
    ),
    (
        {"type": "session.update", "session": {"type": "transcription", "audio": {"output": {}}}},
        "session.audio.output",
        "unknown_parameter",
    ),
    (
        {"type": "session.update", "session": {"type": "transcription", "include": ["words"]}},
        "session.include",
        "invalid_value",
    ),
    (update(format="mp3"), f"{INPUT}.format", "invalid_value"),
    (update(format={"type": "audio/opus"}), f"{INPUT}.format.type", "invalid_value"),
    (update(format={"type": "audio/pcm", "rate": 5}), f"{INPUT}.format.rate", "invalid_value"),
    (update(format={"type": "audio/pcm", "rate": "a"}), f"{INPUT}.format.rate", "invalid_type"),
    (update(format={"type": "audio/pcm", "rate": 1e4 + 0.5}), f"{INPUT}.format.rate", None),
    (update(format={"type": "audio/pcmu", "rate": 16000}), f"{INPUT}.format.rate", None),
    (update(transcription=None), f"{INPUT}.transcription", "invalid_type"),
    (update(transcription={"model": "gpt-5"}), f"{INPUT}.transcription.model", "model_not_found"),
    (update(transcription={"language": "xx"}), f"{INPUT}.transcription.language", None),
    (update(transcription={"languages": ["zh", 1]}), f"{INPUT}.transcription.languages.1", None),
    (update(transcription={"prompt": "\ud800"}), f"{INPUT}.transcription.prompt", None),
    (update(transcription={"beam": 3}), f"{INPUT}.transcription.beam", "unknown_parameter"),
    (update(turn_detection={"type": "semantic_vad"}), f"{INPUT}.turn_detection.type", None),
    (vad(threshold=1.5), f"{INPUT}.turn_detection.threshold", None),
    (vad(threshold=float("nan")), f"{INPUT}.turn_detection.threshold", None),
    (vad(silence_duration_ms=-1), f"{INPUT}.turn_detection.silence_duration_ms", None),
    (vad(prefix_padding_ms=True), f"{INPUT}.turn_detection.prefix_padding_ms", "invalid_type"),
    (vad(idle_timeout_ms=5000), f"{INPUT}.turn_detection.idle_timeout_ms", None),
    (vad(create_response="no"), f"{INPUT}.turn_detection.create_response", "invalid_type"),
    (update(noise_reduction={"type": "loud"}), f"{INPUT}.noise_reduction.type", None),
    (older(input_audio_format="pcm8"), "session.input_audio_format", None),
    (older(instructions="be kind"), "session.instructions", "unknown_parameter"),
    ({"type": "input_audio_buffer.append"}, "audio", "invalid_type"),
    ({"type": "input_audio_buffer.append", "audio": [1]}, "audio", "invalid_type"),
    ({"type": "input_audio_buffer.append", "audio": "not/base64!"}, "audio", "invalid_value"),
    ({"type": "input_audio_buffer.append", "audio": "录音"}, "audio", "invalid_value"),
    ({"type": "input_audio_buffer.commit"}, None, "input_audio_buffer_commit_empty"),
]


def test_each_wrong_event_is_answered_and_changes_nothing(gateway):
    audio = spoken_pcm(1)

    async def run() -> dict:
        async with realtime(gateway) as session:
            told = await session.configure(format={"type": "audio/pcm", "rate": 16000})
            await session.append(audio[:1600], 32000)  # so that a clear has something to clear
            await session.connection.input_audio_buffer.clear()
            await session.until("input_audio_buffer.cleared")
            for event, param, code in REFUSED:
                name = f"event_{secrets.token_hex(4)}"
                await session.connection.send_raw(json.dumps({**event, "event_id": name}))
                answer = await session.next()
                found = RealtimeErrorEvent.model_validate(answer, strict=True).error
                assert found.type == "invalid_request_error", event
                assert (found.param, found.event_id) == (param, name), event
                assert code is None or found.code == code, event
                assert "expected" in found.message or "no such field" in found.message, found
            # The older form, once asked for, is the form of the answers.
            await session.connection.send_raw(json.dumps(older()))
            session._strict = False
            now = (await session.until("transcription_session.updated"))[-1]["session"]
            for name in ("turn_detection", "transcription", "format"):
                before, after = told["audio"]["input"][name], now.get(name)
                after = now["input_audio_transcription"] if name == "transcription" else after
                after = now["input_audio_format"] if name == "format" else after
                assert after == before, name
            await session.append(audio, 32000)
            await session.connection.input_audio_buffer.commit()
            return (await session.until(COMPLETED))[-1]

    assert asyncio.run(run())["transcript"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "[]", "1e999", '"text"', "\x00", "{" * 5000, "[" * 100_000, "9" * 5000),
        '{"type": "session.update", "session": ' + "[" * 9000,
        '{"type": "' + "x" * 100_000 + '"}',
        '{"event_id": {}, "type": "\\ud800"}',
    ],
)
def test_hostile_texts_are_answered_by_an_error(gateway, text):
    async def run() -> None:
        async with client_of(gateway, PATH) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"
            await socket.send(text)
            answer = json.loads(await socket.recv())
            assert answer["type"] == "error" and len(answer["error"]["message"]) < 1000
            await socket.send('{"type": "input_audio_buffer.clear"}')
            assert json.loads(await socket.recv())["type"] == "input_audio_buffer.cleared"

    asyncio.run(run())


def test_a_file_of_a_codec_is_no_audio(gateway):
    async def run() -> dict:
        async with realtime(gateway) as session:
            header = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + b"\x55\0\1\0" + bytes(12) + b"data\0\0\0\0"
            piece = base64.b64encode(header + bytes(4000)).decode()
            await session.connection.input_audio_buffer.append(audio=piece)
            return (await session.until("error"))[-1]

    assert asyncio.run(run())["error"]["code"] == "invalid_audio"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/realtime?model=gpt-5", 404, "model_not_found"),
        ("/v1/realtime?intent=translation", 400, None),
        ("/v1/realtimes", 404, "not_found"),
    ],
)
def test_what_is_not_served_is_refused_before_the_handshake(gateway, path, status, code):
    async def run() -> None:
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with client_of(gateway, path):
                pass
        answer = caught.value.response
        assert answer.status_code == status
        assert json.loads(answer.body)["error"]["code"] == code

    asyncio.run(run())


def test_pages_of_other_origins_are_refused(gateway):
    async def run() -> None:
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with client_of(gateway, PATH, origin="https://evil.example"):
                pass
        assert caught.value.response.status_code == 403

    asyncio.run(run())


def test_keys_come_in_the_header_or_as_a_subprotocol(triton_url):
    async def run(gateway) -> None:
        async with realtime(gateway, api_key="a key"):
            pass
        names = ["realtime", "openai-insecure-api-key.a-second"]
        async with client_of(gateway, PATH, subprotocols=names) as socket:
            assert socket.subprotocol == "realtime"
            assert json.loads(await socket.recv())["type"] == "session.created"
        for options in ({}, {"subprotocols": ["realtime", "openai-insecure-api-key.wrong"]}):
            with pytest.raises(websockets.InvalidStatus) as caught:
                async with client_of(gateway, PATH, **options):
                    pass
            assert caught.value.response.status_code == 401
            assert json.loads(caught.value.response.body)["error"]["code"] == "invalid_api_key"

    with running_gateway(triton_url, api_keys=("a key", "a-second")) as gateway:
        asyncio.run(run(gateway))


def test_sessions_have_places_times_and_an_end(triton_url):
    async def run(gateway) -> None:
        async with client_of(gateway, PATH) as quiet:
            await quiet.recv()
            async with realtime(gateway) as session:  # the quiet one makes room
                await session.append(bytes(9600))
                told = [json.loads(await quiet.recv())]
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await quiet.recv()
                assert (
                    told[-1]["error"]["type"] == "server_error" and closed.value.rcvd.code == 1013
                )
                with pytest.raises(websockets.InvalidStatus) as caught:
                    async with client_of(gateway, PATH):
                        pass
                answer = caught.value.response
                assert answer.status_code == 429 and answer.headers["Retry-After"]
                await session.append(bytes(9600))
                await idle(session)

    async def idle(session: Realtime) -> None:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await session.next()
        assert closed.value.rcvd.code == 1008
        assert "nothing came" in session.events[-1]["error"]["message"]

    with running_gateway(triton_url, max_sessions_per_client=1, idle_timeout_s=1.5) as gateway:
        asyncio.run(run(gateway))
        wait_for_no_session(gateway)


def test_without_triton_there_is_no_session():
    async def run(gateway) -> None:
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with realtime(gateway):
                pass
        assert caught.value.response.status_code == 503

    with running_gateway("grpc://127.0.0.1:9") as gateway:
        asyncio.run(run(gateway))
