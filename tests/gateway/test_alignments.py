"""`POST /v1/audio/alignments`: what the SDK says, in every format, and what is refused."""

from __future__ import annotations

import jsonschema_rs
import numpy as np
import pytest
import requests

from asr_client import Client
from asr_client.alignment import ALIGNMENT_FORMATS, format_alignment
from asr_contract import SAMPLE_RATE
from tests.gateway.gateways import running_gateway, wav_of
from tests.recordings import heldout


@pytest.fixture(scope="module")
def spoken() -> tuple[str, bytes]:
    """A text, and a WAV of it."""
    text, samples = next((text, samples) for spoken, text, samples in heldout() if spoken == "zh")
    return text, wav_of(samples)


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


@pytest.fixture(scope="module")
def fa_zh_gateway(aligner_server):
    with running_gateway(aligner_server.grpc_url) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("fields", "placed_by"),
    [
        ({"model": "fa-zh"}, "aligner"),
        ({}, "aligner"),
        ({"language": "zh"}, "aligner"),
        ({"model": "sensevoice"}, "sensevoice_alignment"),
        ({"language": "yue"}, "sensevoice_alignment"),
    ],
)
def test_an_upload_is_placed_by_fa_zh(fa_zh_gateway, aligner_server, spoken, fields, placed_by):
    text, wav = spoken
    with Client(aligner_server.grpc_url) as client:
        expected = client.align(wav, text, **fields)
    assert expected.model == placed_by
    assert [word.confidence is None for word in expected.words] == [
        fields.get("model") == "fa-zh"
    ] * len(expected.words)
    document = requests.get(f"{fa_zh_gateway.http}/openapi.json", timeout=120).json()
    schema = document["components"]["schemas"]["Alignment"]
    for style in ALIGNMENT_FORMATS:
        response = ask(fa_zh_gateway, wav, text=text, response_format=style, **fields)
        assert response.status_code == 200
        if style == "json":
            assert response.json() == expected.to_dict()
            jsonschema_rs.validator_for(schema).validate(response.json())
        else:
            assert response.text == format_alignment(style, expected, "upload")


def test_fa_zh_is_refused_what_it_cannot_do(gateway, fa_zh_gateway, spoken):
    """More than 120 s at once, and where no server has it."""
    text, wav = spoken
    long = wav_of(np.zeros(121 * SAMPLE_RATE, np.float32))
    response = ask(fa_zh_gateway, long, text=text, model="fa-zh")
    assert response.status_code == 400
    assert "at most 120 s" in response.json()["error"]["message"]
    response = ask(gateway, wav, text=text, model="fa-zh")
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (404, "model")
    assert error["message"] == "no model 'fa-zh' here; 'auto' takes the one that is"


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
