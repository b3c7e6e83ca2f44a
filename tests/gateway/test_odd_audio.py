"""Odd recordings through every door of the gateway: their text, and what is lost said."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
import requests
import soundfile

from asr_server.places import ROOT
from tests.client.test_odd_audio import assert_said, letters
from tests.gateway.gateways import recognise
from tests.odd_audio import cases, int16
from tests.odd_containers import wav, wav_form

SAMPLES = ROOT / "embedded_models" / "samples"
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return soundfile.read(SAMPLES / "zh_1.wav", dtype="float32")[0]


@pytest.fixture(scope="module")
def odd(speech, tmp_path_factory):
    return cases(speech, tmp_path_factory.mktemp("odd"))


def post(gateway, path, **fields) -> requests.Response:
    return requests.post(
        f"{gateway.http}/v1/audio/transcriptions",
        files={"file": (path.name, path.read_bytes())},
        data={"language": "zh", **fields},
        timeout=TIMEOUT_S,
    )


def spoken(gateway, data: bytes, **fields) -> tuple[str, str | None]:
    """The text of all final replies to bytes on a websocket, and the warning of the last."""
    received = asyncio.run(recognise(gateway, data, svs_lang="zh", **fields))
    finals = [reply for reply in received if reply["mode"] in ("offline", "2pass-offline")]
    return "".join(reply["text"] for reply in finals), received[-1].get("warning")


def test_every_case_through_every_door(gateway, odd, speech, tmp_path):
    source = tmp_path / "clean.wav"
    source.write_bytes(wav(wav_form(1, 16000, 1, 16), int16(speech).tobytes()))
    clean = post(gateway, source).json()["text"]
    assert len(letters(clean)) > 5
    for name, file in odd.items():
        expected = clean * round(len(file.heard) / len(speech))
        answer = post(gateway, file.path).json()
        data, suffix = file.path.read_bytes(), file.path.suffix[1:]
        offline = spoken(gateway, data, mode="offline", wav_format=suffix)
        doors = {"post": (answer["text"], "; ".join(answer.get("warnings", [])) or None)}
        doors["offline"] = offline
        if suffix == "wav":  # a client may send a file as if it were live
            doors["2pass"] = spoken(gateway, data, mode="2pass", wav_format="pcm")
        for door, (text, warning) in doors.items():
            if file.may_lose:
                assert "cut off" in (warning or ""), (door, name)
                continue
            assert_said(text, expected, f"{door} {name}")
            assert ("cancel" in (warning or "")) == (
                name.endswith("_stereo.wav") and not name.startswith("delayed")
            ) or name.startswith("delayed"), (door, name, warning)


@pytest.mark.parametrize("response_format", ["json", "verbose_json", "text", "srt", "vtt"])
def test_a_warning_comes_with_every_format(gateway, odd, response_format):
    answer = post(gateway, odd["cut.wav"].path, response_format=response_format)
    assert "cut off" in json.loads(answer.headers["X-Warnings"])[0]
    if "json" in response_format:
        assert answer.json()["warnings"] == json.loads(answer.headers["X-Warnings"])


def test_each_channel_is_a_speaker(gateway, speech, tmp_path):
    frames = np.zeros((2 * len(speech) + 16000, 2), np.float32)
    frames[: len(speech), 0] = speech
    frames[-len(speech) :, 1] = speech
    path = tmp_path / "call.wav"
    path.write_bytes(wav(wav_form(1, 16000, 2, 16), int16(frames).tobytes()))
    body = post(gateway, path, channels="each", response_format="verbose_json").json()
    assert [segment["channel"] for segment in body["segments"]] == sorted(
        segment["channel"] for segment in body["segments"]
    )
    assert [each["channel"] for each in body["channels"]] == [1, 2]
    assert "[2] " in post(gateway, path, channels="each", response_format="text").text
    assert "<v Channel 2>" in post(gateway, path, channels="each", response_format="vtt").text
    one = post(gateway, path, channels="2").json()["text"]
    assert_said(one, body["channels"][1]["text"], "channel 2 alone")
    events = post(gateway, path, channels="each", stream="true").text
    assert '"channel": 1' in events and '"channel": 2' in events
    refused = post(gateway, path, channels="3")
    assert refused.status_code == 400 and "the audio has 2" in refused.json()["error"]["message"]
    assert post(gateway, path, channels="left").json()["error"]["param"] == "channels"
