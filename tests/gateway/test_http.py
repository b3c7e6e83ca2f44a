"""The HTTP API on a real gateway and Triton: with the openai package, and by hand."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request

import numpy as np
import openai
import pytest
import requests
import soundfile
import websockets
import webvtt

from asr_client import Client
from asr_contract import SAMPLE_RATE
from tests.gateway.gateways import (
    FRAME,
    begin,
    client_of,
    pcm,
    post,
    recognise,
    running_gateway,
    wait_for_no_session,
)

TIMEOUT_S = 120
KEY = "a key of the tests"


@pytest.fixture(scope="module")
def api(gateway):
    return openai.OpenAI(
        base_url=f"{gateway.http}/v1", api_key="none", timeout=TIMEOUT_S, max_retries=0
    )


# The openai package


def test_openai_transcribes(api, talk, expected):
    with talk.open("rb") as file:
        result = api.audio.transcriptions.create(model="whisper-1", file=file)
    assert result.text == expected.text
    told = api.audio.transcriptions.create(model="whisper-1", file=talk, language="zh-CN")
    assert told.text


def test_openai_gets_words_and_segments(api, talk, expected):
    result = api.audio.transcriptions.create(
        model="sensevoice",
        file=talk,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        prompt="阿里巴巴",
        temperature=0,
    )
    assert result.text == expected.text
    assert result.duration == pytest.approx(expected.duration_s)
    assert [
        (each.text, round(1000 * each.start), round(1000 * each.end)) for each in result.segments
    ] == [(each.text, each.start_ms, each.end_ms) for each in expected.sentences]
    assert [(word.word, round(1000 * word.start)) for word in result.words] == [
        (word.text, word.start_ms) for word in expected.words
    ]


@pytest.mark.parametrize("response_format", ["text", "srt", "vtt"])
def test_openai_gets_text_and_subtitles(api, talk, expected, tmp_path, response_format):
    text = api.audio.transcriptions.create(
        model="sensevoice", file=talk, response_format=response_format
    )
    if response_format == "text":
        assert text == expected.text + "\n"
    if response_format == "srt":
        assert text.count(" --> ") == len(expected.sentences)
    if response_format == "vtt":
        (tmp_path / "talk.vtt").write_text(text, encoding="utf-8")
        captions = webvtt.read(tmp_path / "talk.vtt").captions
        assert [caption.text for caption in captions] == [
            sentence.text for sentence in expected.sentences
        ]


def test_openai_streams(api, talk, expected):
    stream = api.audio.transcriptions.create(model="sensevoice", file=talk, stream=True)
    events = list(stream)
    *deltas, done = events
    assert [event.type for event in deltas] == ["transcript.text.delta"] * len(expected.sentences)
    assert "".join(event.delta for event in deltas) == expected.text == done.text
    assert done.type == "transcript.text.done"
    assert [round(1000 * event.start) for event in deltas] == [
        sentence.start_ms for sentence in expected.sentences
    ]
    assert [word["word"] for event in deltas for word in event.words] == [
        word.text for word in expected.words
    ]


def test_openai_lists_models(api):
    names = [model.id for model in api.models.list()]
    assert names == ["sensevoice", "paraformer", "whisper-1"]
    assert api.models.retrieve("paraformer").id == "paraformer"
    with pytest.raises(openai.NotFoundError):
        api.models.retrieve("gpt-4o")


def test_openai_gets_its_exceptions(api, talk):
    with pytest.raises(openai.NotFoundError, match="model"):
        api.audio.transcriptions.create(model="gpt-4o", file=talk)
    with pytest.raises(openai.BadRequestError, match="language") as caught:
        api.audio.transcriptions.create(model="whisper-1", file=talk, language="tlh")
    assert caught.value.param == "language"
    with pytest.raises(openai.BadRequestError):
        api.audio.transcriptions.create(model="whisper-1", file=b"no audio at all")


def test_paraformer_is_punctuated(gateway, talk):
    text = post(gateway, talk, model="paraformer", response_format="text").text
    assert text.strip()[-1] in "。？！.?!"


def test_numbers_stay_words_if_asked_to(gateway, triton_url, talk):
    with Client(triton_url) as client:
        spoken = client.transcribe_file(talk, itn=False).text
    assert post(gateway, talk, itn="false").json()["text"] == spoken
    body = post(gateway, talk, itn="0", stream="true", prompt="王芳 C++").text
    (warning,) = json.loads(body.split("data: ")[-1])["warnings"]
    assert "hotword 'C++'" in warning


def test_without_words_no_words(gateway, talk):
    body = post(gateway, talk, response_format="verbose_json").json()
    assert "words" not in body and "words" not in body["segments"][0]
    body = post(
        gateway,
        talk,
        response_format="verbose_json",
        **{"timestamp_granularities[]": "word"},
    ).json()
    assert body["words"] and "segments" not in body


# By hand


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"temperature": "abc"}, 400, "temperature"),
        ({"temperature": "2"}, 400, "temperature"),
        ({"temperature": "nan"}, 400, "temperature"),
        ({"temperature": "-0.1"}, 400, "temperature"),
        ({"include[]": "prompt"}, 400, "include[]"),
        ({"include[]": "logprobs", "response_format": "text"}, 400, "include[]"),
        ({"chunking_strategy": "never"}, 400, "chunking_strategy"),
        ({"language": "tlh"}, 400, "language"),
        ({"languages[]": "tlh"}, 400, "languages[]"),
        ({"speakers": "nobody"}, 400, "speakers"),
        ({"response_format": "xml"}, 400, "response_format"),
        ({"stream": "perhaps"}, 400, "stream"),
        ({"itn": "perhaps"}, 400, "itn"),
        ({"timestamp_granularities[]": "letter"}, 400, "timestamp_granularities[]"),
        ({"model": "x" * 200}, 404, "model"),
    ],
)
def test_wrong_fields_are_named(gateway, talk, fields, status, param):
    answer = post(gateway, talk, **fields)
    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param


def test_what_is_no_form_is_refused(gateway):
    url = f"{gateway.http}/v1/audio/transcriptions"
    no_file = "expected an audio or video file; got none"
    for arguments, says in (
        ({"data": b"", "headers": {"Content-Type": "application/json"}}, "; got application/json"),
        ({"data": b"abc"}, "; got no Content-Type"),
        ({"data": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, ""),
        ({"data": b"abc", "headers": {"Content-Type": "multipart/form-data"}}, "boundary"),
        ({"files": {"other": b"abc"}}, no_file),
        ({"data": {"file": "a text"}, "files": {"other": b"abc"}}, "got a field of text"),
        ({"files": [("file", b"abc"), ("file", b"abc")]}, ""),
    ):
        answer = requests.post(url, timeout=TIMEOUT_S, **arguments)
        assert answer.status_code == 400, arguments
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert says in answer.json()["error"]["message"], arguments


def test_what_is_not_served_says_what_is(gateway):
    answer = requests.get(f"{gateway.http}/v1/audio/transcriptions", timeout=TIMEOUT_S)
    assert answer.status_code == 405
    assert answer.json()["error"]["message"] == "expected POST; got GET"
    for path in ("/nothing", "/v1/realtime", "/v1/chat/completions", "/static/nothing.js"):
        answer = requests.get(f"{gateway.http}{path}", timeout=TIMEOUT_S)
        assert answer.status_code == 404
        assert "/openapi.json describes what is" in answer.json()["error"]["message"]


def test_an_empty_recording_has_no_text(gateway, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    body = post(gateway, tmp_path / "silence.wav", response_format="verbose_json").json()
    assert (body["text"], body["segments"]) == ("", [])


def test_a_failure_while_streaming_is_an_event(gateway, talk):
    answer = post(gateway, b"no audio", stream="true")
    assert answer.status_code == 400  # nothing was sent yet
    lines = post(gateway, talk, stream="true").text.split("\n\n")
    assert json.loads(lines[-2].removeprefix("data: "))["type"] == "transcript.text.done"
    assert lines[-1] == ""


def test_limits_of_size_sessions_and_clients(triton_url, talk):
    with running_gateway(
        triton_url, max_upload_bytes=1000, max_sessions=3, max_sessions_per_client=1
    ) as gateway:
        answer = post(gateway, talk)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "file_too_large"

        def chunks():  # of unknown length
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            for _ in range(40):
                yield bytes(50_000)

        try:
            answer = requests.post(
                f"{gateway.http}/v1/audio/transcriptions",
                data=chunks(),
                headers={"Content-Type": "multipart/form-data; boundary=x"},
                timeout=TIMEOUT_S,
            )
            assert answer.status_code == 413
        except requests.ConnectionError:
            pass  # it was closed while more was sent

        async def run() -> list[dict]:
            async with client_of(gateway) as first:
                await first.send(begin())
                await first.send(bytes(FRAME))  # one without audio would make way
                await first.send("{")
                assert "error" in json.loads(await first.recv())  # so all that was seen
                async with client_of(gateway) as second:
                    refused = json.loads(await second.recv())
                    await second.wait_closed()
                    assert second.close_code == 1013
                assert post(gateway, b"abc").status_code == 429
                return [refused]

        refused = asyncio.run(run())[0]
        assert "1 sessions open" in refused["error"] and refused["is_final"]
        wait_for_no_session(gateway)
        received = asyncio.run(recognise(gateway, pcm(np.zeros(400)), mode="offline"))
        assert received[0]["text"] == ""
        wait_for_no_session(gateway)
        received = asyncio.run(recognise_too_much(gateway))
        assert "at most 1000 bytes" in received["error"]
        assert 'refused_total{reason="client"}' in metrics(gateway)


async def recognise_too_much(gateway) -> dict:
    async with client_of(gateway) as socket:
        await socket.send(begin(mode="offline"))
        await socket.send(bytes(2000))
        return json.loads(await socket.recv())


def metrics(gateway, headers: dict[str, str] | None = None) -> str:
    return requests.get(f"{gateway.http}/metrics", headers=headers, timeout=TIMEOUT_S).text


def test_probes_metrics_and_the_page(gateway):
    def get(path: str) -> requests.Response:
        return requests.get(gateway.http + path, timeout=TIMEOUT_S)

    assert get("/healthz").json() == {"status": "ok"}
    assert get("/readyz").json() == {"status": "ready"}
    assert re.search(r"^asr_gateway_open_sessions \d", metrics(gateway), re.M)
    page = get("/")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert get("/openapi.json").json()["openapi"].startswith("3.1")
    assert get("/health").json() == {"status": "ok"}
    below = ("/static/../settings.py", "/static/%2e%2e/settings.py")
    for path in ("/nothing", "/v1/realtime", *below, "/ws"):
        answer = get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_not_ready_without_triton():
    with running_gateway("grpc://127.0.0.1:1") as gateway:
        answer = requests.get(f"{gateway.http}/readyz", timeout=TIMEOUT_S)
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "reason": "Triton does not answer"}
        assert requests.get(f"{gateway.http}/healthz", timeout=TIMEOUT_S).ok
        answer = post(gateway, b"RIFF")
        assert answer.status_code == 503 and answer.headers["Retry-After"]
        assert "127.0.0.1" not in answer.text and "grpc" not in answer.text


def test_with_keys_only_who_has_one_comes_in(triton_url, talk):
    with running_gateway(triton_url, api_keys=("another key", KEY)) as gateway:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}):
            answer = post(gateway, talk, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert requests.get(f"{gateway.http}/v1/models", headers=headers).status_code == 401
            assert requests.get(f"{gateway.http}/metrics", headers=headers).status_code == 401
        for path in ("/", "/healthz", "/openapi.json"):
            assert requests.get(gateway.http + path, timeout=TIMEOUT_S).ok
        client = openai.OpenAI(base_url=f"{gateway.http}/v1", api_key=KEY, timeout=TIMEOUT_S)
        assert client.audio.transcriptions.create(model="whisper-1", file=talk).text

        async def run() -> None:
            for path in ("/", "/?api_key=wrong", "/?api_key="):
                with pytest.raises(websockets.InvalidStatus) as caught:
                    async with client_of(gateway, path):
                        pass
                assert caught.value.response.status_code == 401
            query = "/ws?api_key=" + urllib.request.quote(KEY)
            async with client_of(gateway, query) as socket:
                await socket.send('{"is_speaking": false}')
                assert json.loads(await socket.recv())["is_final"]
            headers = {"Authorization": f"Bearer {KEY}"}
            async with client_of(gateway, additional_headers=headers) as socket:
                await socket.send('{"is_speaking": false}')
                assert json.loads(await socket.recv())["is_final"]

        asyncio.run(run())
