"""`POST /v1/audio/alignments`: what the SDK says, in every format, and what is refused."""

from __future__ import annotations

import io

import jsonschema_rs
import pytest
import requests
import soundfile

from asr_client import Client
from asr_client.alignment import ALIGNMENT_FORMATS, format_alignment
from asr_contract import SAMPLE_RATE
from tests.recordings import heldout


@pytest.fixture(scope="module")
def spoken() -> tuple[str, bytes]:
    """A text, and a WAV of it."""
    text, samples = next((text, samples) for spoken, text, samples in heldout() if spoken == "zh")
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return text, file.getvalue()


def post(gateway, files: dict[str, tuple[str, bytes]], fields: dict[str, str]):
    url = f"{gateway.http}/v1/audio/alignments"
    return requests.post(url, files=files, data=fields, timeout=120)


def ask(gateway, wav: bytes, **fields: str):
    return post(gateway, {"file": ("speech.wav", wav)}, fields)


def test_it_says_what_the_sdk_says(gateway, triton_url, spoken):
    text, wav = spoken
    with Client(triton_url) as client:
        expected = client.align(wav, text, language="zh")
    for style in ALIGNMENT_FORMATS:
        response = ask(gateway, wav, text=text, language="zh", response_format=style)
        assert response.status_code == 200
        if style == "json":
            assert response.json() == expected.to_dict()
            document = requests.get(f"{gateway.http}/openapi.json", timeout=120).json()
            schema = document["components"]["schemas"]["Alignment"]
            jsonschema_rs.validator_for(schema).validate(response.json())
        else:
            assert response.text == format_alignment(style, expected, "upload")


def test_a_text_may_be_a_file(gateway, spoken):
    text, wav = spoken
    files = {"file": ("speech.wav", wav), "text": ("text.txt", b"\xef\xbb\xbf" + text.encode())}
    uploaded = post(gateway, files, {"language": "zh"})
    assert uploaded.json() == ask(gateway, wav, text=text, language="zh").json()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "text"),
        ({"text": "  "}, "text"),
        ({"text": "!?"}, None),
        ({"text": "yes", "response_format": "vtt"}, "response_format"),
        ({"text": "yes", "language": "klingon"}, "language"),
        ({"text": "yes", "model": "whisper-1"}, "model"),
        ({"text": "yes", "channels": "each"}, None),
        ({"text": "yes", "channels": "0"}, "channels"),
    ],
)
def test_what_makes_no_sense_is_refused(gateway, spoken, fields, param):
    response = ask(gateway, spoken[1], **fields)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_no_file_and_no_audio_are_refused(gateway):
    assert (
        post(gateway, {"other": ("a.wav", b"")}, {"text": "yes"}).json()["error"]["param"] == "file"
    )
    response = ask(gateway, b"no audio", text="yes")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_audio")
