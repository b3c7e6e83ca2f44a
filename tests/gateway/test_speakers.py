"""Who speaks, through the gateway's doors: OpenAI's package, plain HTTP, FunASR's websocket."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import httpx
import numpy as np
import openai
import pytest
import soundfile
import webvtt

from asr_contract import SAMPLE_RATE
from asr_gateway.openai.diarized import lettered
from asr_gateway.service.command_line import read_settings
from asr_gateway.service.options import gateway_parser
from asr_server.places import SAMPLES
from tests.gateway.gateways import END, FRAME, begin, client_of, pcm, wav_of

TALK_S = 40


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    """The beginning of the sample talk, in which two speak."""
    samples, rate = soundfile.read(SAMPLES / "talk.ogg", dtype="float32")
    assert rate == SAMPLE_RATE
    return samples[: TALK_S * SAMPLE_RATE]


@pytest.fixture(scope="module")
def spoken() -> list[dict]:
    """What the two say: `voice`, `start_ms`, `end_ms`."""
    said = json.loads((SAMPLES / "talk.json").read_text())
    return [each for each in said if each["end_ms"] < 1000 * TALK_S]


@pytest.fixture(scope="module")
def voices(spoken) -> dict[str, bytes]:
    """A recording of each of the two, of a later part of the talk."""
    samples, _ = soundfile.read(SAMPLES / "talk.ogg", dtype="float32")
    said = json.loads((SAMPLES / "talk.json").read_text())
    found: dict[str, list[np.ndarray]] = {}
    for each in said:
        if each["start_ms"] > 1000 * TALK_S:
            part = samples[each["start_ms"] * 16 : each["end_ms"] * 16]
            found.setdefault(each["voice"][-2:], []).append(part)
    return {name: wav_of(np.concatenate(parts[:3])) for name, parts in found.items()}


def share_right(spoken: list[dict], whose) -> float:
    """How much of what is said has the speaker's name, of the better of both assignments."""
    told = [whose((each["start_ms"] + each["end_ms"]) / 2000) for each in spoken]
    right = [each["voice"][-2:] for each in spoken]
    best = 0.0
    for first in {*told} - {None}:
        own = right[told.index(first)]
        hits = [(t == first) == (r == own) for t, r in zip(told, right, strict=True)]
        best = max(best, sum(hits) / len(hits))
    return best


def at(segments: list[dict]):
    return lambda time_s: next(
        (s["speaker"] for s in segments if s["start"] <= time_s <= s["end"]), None
    )


def post(gateway, data: dict, audio: bytes) -> httpx.Response:
    files = {"file": ("talk.wav", audio)}
    url = f"{gateway.http}/v1/audio/transcriptions"
    return httpx.post(url, data=data, files=files, timeout=180)


def test_openais_package_reads_diarized_json(gateway, talk, spoken, voices):
    """With its own types, names of known speakers among them, whole and as a stream."""
    client = openai.OpenAI(base_url=f"{gateway.http}/v1", api_key="-", max_retries=0)
    asked = {
        "model": "gpt-4o-transcribe-diarize",
        "response_format": "diarized_json",
        "chunking_strategy": "auto",
    }
    names = list(voices)
    references = [
        f"data:audio/wav;base64,{base64.b64encode(voices[name]).decode()}" for name in names
    ]
    result = client.audio.transcriptions.create(
        file=("talk.wav", wav_of(talk)),
        known_speaker_names=names,
        known_speaker_references=references,
        extra_body={"speakers": "2"},
        **asked,
    )
    assert type(result).__name__ == "TranscriptionDiarized"
    segments = [segment.model_dump() for segment in result.segments]
    assert [segment["id"] for segment in segments][:2] == ["seg_000", "seg_001"]
    assert {segment["speaker"] for segment in segments} == set(names)
    whose = at(segments)
    right = [whose((e["start_ms"] + e["end_ms"]) / 2000) == e["voice"][-2:] for e in spoken]
    assert sum(right) >= 0.9 * len(right)
    events = list(
        client.audio.transcriptions.create(
            file=("talk.wav", wav_of(talk)), stream=True, extra_body={"speakers": "2"}, **asked
        )
    )
    streamed = [event for event in events if event.type == "transcript.text.segment"]
    assert {event.speaker for event in streamed} == {"A", "B"}
    assert share_right(spoken, at([event.model_dump() for event in streamed])) >= 0.9
    deltas = "".join(event.delta for event in events if event.type == "transcript.text.delta")
    assert deltas == result.text == events[-1].text


@pytest.mark.parametrize("response_format", ["verbose_json", "vtt"])
def test_other_formats_show_speakers_where_they_are_asked_for(
    gateway, talk, spoken, response_format
):
    data = {"speakers": "2", "response_format": response_format}
    data |= {"timestamp_granularities[]": ["word", "segment"]}
    response = post(gateway, data, wav_of(talk[: 20 * SAMPLE_RATE]))
    assert response.status_code == 200, response.text
    if response_format == "vtt":
        cues = webvtt.from_buffer(io.StringIO(response.text))
        assert {cue.voice for cue in cues} == {"S1", "S2"}
        return
    body = response.json()
    assert {segment["speaker"] for segment in body["segments"]} == {"S1", "S2"}
    assert all(
        word["speaker"] == segment["speaker"]
        for segment in body["segments"]
        for word in segment["words"]
    )
    early = [each for each in spoken if each["end_ms"] < 19_000]
    assert share_right(early, at(body["turns"])) >= 0.9


def reference(data: bytes) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(data).decode()}"


SILENCE = reference(wav_of(np.zeros(3 * SAMPLE_RATE, np.float32)))
DIARIZED = {"response_format": "diarized_json"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"speakers": "0"}, "speakers: expected 1 to 50, or 'auto'; got 0"),
        ({"speakers": "two"}, "speakers: expected 1 to 50, or 'auto'; got 'two'"),
        ({"speakers": "2"}, "response_format: expected one that shows speakers"),
        (DIARIZED | {"channels": "each"}, "speakers: expected with the mix or one channel"),
        ({"known_speaker_names[]": "Li"}, "known_speaker_names[]: expected them with"),
        (
            DIARIZED | {"known_speaker_names[]": "Li"},
            "expected one for each of the names, which differ; got 0 for 1 names",
        ),
        (
            DIARIZED
            | {"known_speaker_names[]": ["a", "a"], "known_speaker_references[]": [SILENCE] * 2},
            "got 2 for 2 names, 1 of them different",
        ),
        (
            DIARIZED | {"known_speaker_names[]": "Li", "known_speaker_references[]": "li.wav"},
            "known_speaker_references[]: expected a data URL with audio",
        ),
        (
            DIARIZED | {"known_speaker_names[]": "S2", "known_speaker_references[]": SILENCE},
            "expected names other than S1, S2",
        ),
        (
            DIARIZED | {"known_speaker_names[]": "Li", "known_speaker_references[]": SILENCE},
            "bytes: expected at least 2 s of speech; got 0.0 s",
        ),
        (
            DIARIZED
            | {
                "known_speaker_names[]": "Li",
                "known_speaker_references[]": reference(b"no audio at all"),
            },
            "known speakers: 'Li': ",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(gateway, data, message):
    response = post(gateway, data, wav_of(np.zeros(1600, np.float32)))
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("speaker", "letters"),
    [("S1", "A"), ("S26", "Z"), ("S27", "AA"), ("S53", "BA"), ("Li", "Li"), ("S0", "S0")],
)
def test_speakers_without_a_name_are_letters(speaker, letters):
    assert lettered(speaker, ["Li"]) == letters


def test_a_letter_that_is_a_known_speakers_name_is_nobody_elses():
    assert [lettered(name, ["B", "A"]) for name in ("B", "S1", "S2", "A", "S25")] == [
        *("B", "C", "D", "A", "AA")
    ]


async def utterance(gateway, audio: bytes, **fields) -> list[dict]:
    """What a client of the websocket is told."""
    replies = []
    async with client_of(gateway) as socket:
        await socket.send(begin(**fields))
        for first in range(0, len(audio), 8 * FRAME):
            await socket.send(audio[first : first + 8 * FRAME])
        await socket.send(END)
        async for message in socket:
            replies.append(json.loads(message))
            if replies[-1].get("is_end"):
                return replies
    return replies


def test_a_live_client_is_told_who_speaks_and_at_the_end_once_more(gateway, talk, spoken):
    replies = asyncio.run(utterance(gateway, pcm(talk), speakers=2))
    sentences = [reply for reply in replies if reply["mode"] == "2pass-offline" and reply["text"]]
    assert {reply["spk_name"] for reply in sentences if "spk_name" in reply} == {"S1", "S2"}
    assert all(-1 <= reply.get("spk_score", 1) <= 1 for reply in sentences)
    (turns,) = (reply["spk_turns"] for reply in replies if "spk_turns" in reply)
    corrected = [
        {"speaker": t["spk_name"], "start": t["start"] / 1000, "end": t["end"] / 1000}
        for t in turns
    ]
    assert {turn["speaker"] for turn in corrected} == {"S1", "S2"}
    assert share_right(spoken, at(corrected)) >= 0.9


def test_a_recording_on_the_websocket_has_speakers(gateway, talk, spoken):
    replies = asyncio.run(
        utterance(gateway, pcm(talk[: 20 * SAMPLE_RATE]), mode="offline", speakers="2")
    )
    (reply,) = (reply for reply in replies if reply["text"])
    stamps = [
        {"speaker": s["spk_name"], "start": s["start"] / 1000, "end": s["end"] / 1000}
        for s in reply["stamp_sents"]
    ]
    early = [each for each in spoken if each["end_ms"] < 19_000]
    assert share_right(early, at(stamps)) >= 0.9
    assert {turn["spk_name"] for turn in reply["spk_turns"]} == {"S1", "S2"}


def test_who_does_not_ask_is_not_told(gateway):
    replies = asyncio.run(utterance(gateway, pcm(np.zeros(16000, np.float32)), speakers=99))
    assert "speakers: expected 1 to 50, auto, true or false; got 99" in replies[0]["error"]
    assert not any("spk" in key for reply in replies for key in reply)


def test_the_gateways_own_file_of_speakers(tmp_path, voices):
    (tmp_path / "li.wav").write_bytes(voices["f3"])
    path = tmp_path / "speakers.json"
    path.write_text(json.dumps({"speakers": {"李伟": "li.wav"}, "threshold": 0.6}))
    arguments = ["--known-speakers", str(path), "--speakers"]
    settings = read_settings(gateway_parser().parse_args(arguments))
    assert settings.speakers == "auto"
    assert settings.known_speakers.names == ["李伟"]
    assert settings.known_speakers.threshold == 0.6
