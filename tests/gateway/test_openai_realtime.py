"""OpenAI's Realtime API with OpenAI's own package: what is heard, and in which events."""

from __future__ import annotations

import asyncio
import base64
import difflib
import io
import math

import numpy as np
import openai
import pytest
import soundfile
import soxr
import websockets

from asr_client import Client
from asr_client.files import join_texts
from asr_contract import SAMPLE_RATE
from tests.gateway.gateways import client_of, running_gateway, spoken_pcm, wait_for_no_session
from tests.gateway.realtime_client import (
    COMPLETED,
    DELTA,
    RATE,
    at_24_khz,
    of_type,
    realtime,
)

AUDIO = spoken_pcm(2)  # 16 kHz
AUDIO_24 = at_24_khz(AUDIO)
PCM_16 = {"type": "audio/pcm", "rate": SAMPLE_RATE}
VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300}
BUFFER = "input_audio_buffer."


@pytest.fixture(scope="module")
def file_text(triton_url):
    """What the file pipeline says of audio, with a model and options of the VAD."""

    def text(audio: bytes = AUDIO, **options) -> str:
        samples = np.frombuffer(audio, "<i2").astype(np.float32) / 32768
        path = io_of(samples)
        with Client(triton_url) as client:
            return client.transcribe_file(path, **options).text

    return text


def io_of(samples: np.ndarray):
    """A WAV in memory."""
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def test_server_vad_makes_an_item_of_each_stretch_of_speech(gateway, file_text):
    async def run() -> list[dict]:
        async with realtime(gateway) as session:
            told = await session.configure(
                format={"type": "audio/pcm", "rate": RATE},
                transcription={"model": "gpt-4o-transcribe", "language": "zh"},
                turn_detection={**VAD, "silence_duration_ms": 600},
            )
            assert told["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 600
            await session.append(AUDIO_24)
            return await session.until(COMPLETED, 2)

    events = asyncio.run(run())
    starts = of_type(events, BUFFER + "speech_started")
    stops = of_type(events, BUFFER + "speech_stopped")
    ids = [event["item_id"] for event in starts]
    assert len(set(ids)) == 2 and [event["item_id"] for event in stops] == ids
    assert [event["item_id"] for event in of_type(events, BUFFER + "committed")] == ids
    previous = [event["previous_item_id"] for event in of_type(events, BUFFER + "committed")]
    assert previous == [None, ids[0]]
    for name in ("added", "done"):
        items = [event["item"] for event in of_type(events, f"conversation.item.{name}")]
        assert [item["id"] for item in items] == ids
    completed = of_type(events, COMPLETED)
    assert [event["item_id"] for event in completed] == ids
    options = {"lookback_time_start_point": 300, "max_end_silence_time": 600}
    said = join_texts([event["transcript"] for event in completed])
    assert said == file_text(language="zh", vad_options=options)
    for start, stop, done in zip(starts, stops, completed, strict=True):
        seconds = (stop["audio_end_ms"] - start["audio_start_ms"]) / 1000
        assert done["usage"] == {"type": "duration", "seconds": pytest.approx(seconds)}
        assert done["languages"] == [{"code": "zh"}] and done["content_index"] == 0
    order = [event["type"] for event in events if event.get("item_id") == ids[0]]
    assert order.index(BUFFER + "speech_started") < order.index(DELTA) < order.index(COMPLETED)
    assert len({event["event_id"] for event in events}) == len(events)


@pytest.mark.parametrize("model", ["sensevoice", "paraformer"])
def test_a_client_that_commits_gets_one_item(gateway, file_text, model):
    async def run() -> list[dict]:
        async with realtime(gateway) as session:
            await session.configure(
                format=PCM_16, transcription={"model": model}, turn_detection=None
            )
            await session.append(AUDIO, 32000)
            await session.connection.input_audio_buffer.commit()
            events = await session.until(COMPLETED)
            await session.append(AUDIO, 32000)  # and the session goes on
            await session.connection.input_audio_buffer.commit()
            again = await session.until(COMPLETED)
            assert again[-1]["transcript"] == events[-1]["transcript"]
            assert (
                of_type(again, BUFFER + "committed")[0]["previous_item_id"]
                == (events[-1]["item_id"])
            )
            return events

    events = asyncio.run(run())
    assert not of_type(events, BUFFER + "speech_started")
    assert {event["item_id"] for event in of_type(events, DELTA)} == {events[-1]["item_id"]}
    letters = file_text(model=model, punctuation=model == "sensevoice")
    said = events[-1]["transcript"]
    if model == "paraformer":  # whose sentences may go on in the next stretch of a file
        said = "".join(each for each in said if each.isalnum())
    assert said == letters
    assert events[-1]["usage"]["seconds"] == pytest.approx(len(AUDIO) / 32000, abs=1e-3)


def test_cleared_audio_is_never_heard(gateway, file_text):
    one = spoken_pcm(1, seed=1)

    async def run(turn_detection: dict | None) -> list[dict]:
        async with realtime(gateway) as session:
            await session.configure(format=PCM_16, turn_detection=turn_detection)
            await session.append(AUDIO[:80000], 32000)
            await session.connection.input_audio_buffer.clear()
            cleared = await session.until(BUFFER + "cleared")
            before = {event.get("item_id") for event in cleared}
            await session.append(one, 32000)
            if turn_detection is None:
                await session.connection.input_audio_buffer.commit()
            events = await session.until(COMPLETED)
            assert events[-1]["item_id"] not in before
            return events

    for turn_detection in (None, {**VAD, "silence_duration_ms": 800, "prefix_padding_ms": 200}):
        events = asyncio.run(run(turn_detection))
        assert events[-1]["transcript"] == file_text(one)
        if turn_detection:  # times go on from the beginning of the session
            assert of_type(events, BUFFER + "speech_started")[0]["audio_start_ms"] > 2500


def test_a_commit_ends_what_is_spoken(gateway):
    async def run() -> tuple[list[dict], list[dict]]:
        async with realtime(gateway) as session:
            await session.configure(format=PCM_16)
            await session.append(AUDIO[:80000], 32000)  # within the first utterance
            await session.until(BUFFER + "speech_started")
            await session.connection.input_audio_buffer.commit()
            spoken = await session.until(COMPLETED)
            await session.append(bytes(32000), 32000)
            await session.connection.input_audio_buffer.commit()
            return spoken, await session.until(COMPLETED)

    spoken, silent = asyncio.run(run())
    assert spoken[-1]["transcript"] and of_type(spoken, BUFFER + "speech_stopped")
    assert silent[-1]["transcript"] == "" and not of_type(silent, DELTA)
    assert silent[-1]["usage"]["seconds"] == pytest.approx(1)


@pytest.mark.parametrize("name", ["g711_ulaw", "g711_alaw"])
def test_the_older_form_and_g711(gateway, name):
    samples = soxr.resample(np.frombuffer(AUDIO, "<i2"), SAMPLE_RATE, 8000)
    file = io.BytesIO()
    subtype = "ULAW" if name == "g711_ulaw" else "ALAW"
    soundfile.write(file, samples.astype("<i2"), 8000, format="RAW", subtype=subtype)

    async def run() -> None:
        async with (
            openai.AsyncOpenAI(websocket_base_url=f"{gateway.ws}/v1", api_key="none") as client,
            client.beta.realtime.connect(
                model="gpt-4o-realtime-preview", extra_query={"intent": "transcription"}
            ) as connection,
        ):
            first = await connection.recv()
            assert first.type == "transcription_session.created"
            session = {
                "input_audio_format": name,
                "input_audio_transcription": {"model": "whisper-1", "language": "zh"},
                "turn_detection": {**VAD, "silence_duration_ms": 500},
            }
            await connection.transcription_session.update(session=session)
            second = await connection.recv()
            assert second.type == "transcription_session.updated"
            assert second.session.input_audio_format == name
            data = file.getvalue()
            for begin in range(0, len(data), 800):
                piece = base64.b64encode(data[begin : begin + 800]).decode()
                await connection.input_audio_buffer.append(audio=piece)
            kinds, texts = [], []
            while len(texts) < 2:
                event = await connection.recv()
                kinds.append(event.type)
                if event.type == COMPLETED:
                    texts.append(event.transcript)
            assert kinds.count("conversation.item.created") == 2
            assert "conversation.item.added" not in kinds
            assert all(texts)

    asyncio.run(run())


def test_a_model_in_the_url_and_words_with_their_probabilities(gateway):
    async def run() -> dict:
        async with realtime(gateway, model="gpt-realtime-whisper") as session:
            told = session.events[0]["session"]["audio"]["input"]
            assert told["transcription"] == {"model": "gpt-realtime-whisper"}
            assert told["turn_detection"] is None  # its clients commit
            await session.connection.session.update(
                session={
                    "type": "transcription",
                    "include": ["item.input_audio_transcription.logprobs"],
                }
            )
            await session.until("session.updated")
            await session.append(AUDIO_24)
            await session.connection.input_audio_buffer.commit()
            return (await session.until(COMPLETED))[-1]

    done = asyncio.run(run())
    assert done["logprobs"]
    for each in done["logprobs"]:
        assert bytes(each["bytes"]).decode() == each["token"] and -10 < each["logprob"] <= 0
    assert math.exp(done["logprobs"][0]["logprob"]) <= 1


def test_gaps_and_changes_within_a_session(gateway):
    """A change ends what is open with the old options, and nothing is lost."""

    async def run() -> list[dict]:
        async with realtime(gateway, model="gpt-realtime") as session:
            told = await session.configure(
                format=PCM_16, transcription={"model": ""}, turn_detection=None
            )
            assert told["audio"]["input"]["transcription"] == {"model": "whisper-1"}
            await session.append(AUDIO, 32000)
            await session.configure(turn_detection=VAD)
            first = await session.until(COMPLETED)
            await session.append(AUDIO, 32000)
            await session.until(COMPLETED, 2)
            await session.configure(transcription={"model": "paraformer"}, turn_detection=None)
            await session.append(AUDIO, 32000)
            await session.connection.input_audio_buffer.commit()
            return first + await session.until(COMPLETED)

    events = asyncio.run(run())
    assert all(event["transcript"] for event in of_type(events, COMPLETED))


# What livekit-plugins-openai 1.8.9 sends first, for its default model and for those without a VAD.
LIVEKIT = [
    {
        "format": {"rate": 24000, "type": "audio/pcm"},
        "transcription": {"language": "zh", "model": "gpt-4o-mini-transcribe"},
        "turn_detection": {
            "type": "server_vad",
            "prefix_padding_ms": 600,
            "silence_duration_ms": 350,
            "threshold": 0.5,
        },
    },
    {
        "format": {"rate": 24000, "type": "audio/pcm"},
        "transcription": {
            "keywords": ["南京"],
            "languages": ["zh", "en"],
            "model": "gpt-live-transcribe",
        },
    },
    {
        "format": {"rate": 24000, "type": "audio/pcm"},
        "noise_reduction": {"type": "near_field"},
        "transcription": {"model": "gpt-realtime-whisper"},
    },
]


@pytest.mark.parametrize("audio_input", LIVEKIT)
@pytest.mark.parametrize("is_in_url", [True, False])
def test_what_livekit_sends(gateway, file_text, audio_input, is_in_url):
    """Any error event ends its stream, so there may be none."""
    model = audio_input["transcription"]["model"]
    query = {"intent": "transcription"} | ({"model": model} if is_in_url else {})

    async def run() -> list[dict]:
        async with realtime(gateway, **query) as session:
            told = await session.configure(**audio_input)
            has_vad = "turn_detection" in audio_input
            assert (told["audio"]["input"]["turn_detection"] is not None) == has_vad
            await session.append(AUDIO_24)
            if not has_vad:
                await session.connection.input_audio_buffer.commit()
            return await session.until(COMPLETED, 2 if has_vad else 1)

    said = "".join(event["transcript"] for event in of_type(asyncio.run(run()), COMPLETED))
    ratio = difflib.SequenceMatcher(a=said, b=file_text(), autojunk=False).ratio()
    assert ratio > 0.9  # another rate, and other pauses, than the file's


def test_shutdown_recognises_what_was_heard(triton_url):
    async def run(gateway) -> tuple[list[dict], int]:
        async with realtime(gateway) as session:
            await session.configure(format=PCM_16, turn_detection=None)
            await session.append(AUDIO, 32000)
            await session.until(DELTA)
            gateway.server.should_exit = True
            events = await session.until(COMPLETED)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    await session.next()
            return events, closed.value.rcvd.code

    with running_gateway(triton_url) as gateway:
        events, code = asyncio.run(run(gateway))
    assert code == 1001 and events[-1]["transcript"]


def test_sessions_are_counted_and_leave_nothing(gateway):
    async def run() -> None:
        async with realtime(gateway) as session:
            await session.configure(format=PCM_16)
            await session.append(AUDIO[:64000], 32000)
            await session.until(BUFFER + "speech_started")

    asyncio.run(run())
    wait_for_no_session(gateway)
    page = gateway.server.gateway.metrics.page().decode()
    assert 'asr_gateway_utterances_total{mode="realtime",outcome="left"}' in page


def test_binary_messages_are_refused_and_the_session_goes_on(gateway):
    async def run() -> None:
        async with client_of(gateway, "/v1/realtime?intent=transcription") as socket:
            await socket.recv()
            await socket.send(b"\0" * 100)
            assert "binary" in await socket.recv()
            await socket.send('{"type": "input_audio_buffer.clear"}')
            assert "cleared" in await socket.recv()

    asyncio.run(run())
