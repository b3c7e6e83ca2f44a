"""Answers as OpenAI's own types have them, strictly, and what its clients send beside."""

from __future__ import annotations

import json
import math
import zlib

import openai
import pytest
import requests
from openai.types import Model
from openai.types.audio import (
    Transcription,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)

from asr_client import Client
from asr_gateway.openai import ModelList
from asr_gateway.shared.model_names import DEFAULT_ALIASES
from tests.client.media_files import ffmpeg
from tests.gateway.gateways import running_gateway
from tests.gateway.test_http import TIMEOUT_S, post

BOTH = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}


def events(answer: requests.Response) -> list[dict]:
    """The server-sent events of an answer."""
    return [json.loads(each.removeprefix("data: ")) for each in answer.text.split("\n\n") if each]


@pytest.mark.parametrize("model", ["sensevoice", "paraformer"])
def test_verbose_json_is_openais_type_and_vercels_schema(gateway, talk, model):
    body = post(gateway, talk, model=model, **BOTH).json()
    verbose = TranscriptionVerbose.model_validate(body, strict=True)
    assert verbose.usage is not None and verbose.segments and verbose.words
    for number, segment in enumerate(verbose.segments):
        assert (segment.id, segment.temperature, segment.tokens) == (number, 0, [])
        assert segment.seek == math.floor(100 * segment.start)
        assert -5 < segment.avg_logprob < 0  # these models are never quite sure
        text = segment.text.encode()
        assert segment.compression_ratio == len(text) / len(zlib.compress(text))
    for segment in body["segments"]:  # Vercel's schema of a segment, @ai-sdk/openai 3.0
        for name in ("id", "seek", "start", "end", "temperature", "avg_logprob"):
            assert type(segment[name]) in (int, float), name
        assert segment["no_speech_prob"] == 0 and isinstance(segment["compression_ratio"], float)


def test_avg_logprob_is_the_mean_of_the_words(gateway, triton_url, talk):
    with Client(triton_url) as client:
        sentences = client.transcribe_file(talk).sentences
    body = post(gateway, talk, **BOTH).json()
    for segment, sentence in zip(body["segments"], sentences, strict=True):
        assert segment["avg_logprob"] == pytest.approx(math.log(sentence.confidence), rel=1e-6)


def test_json_is_openais_type_and_has_logprobs_if_asked_for(gateway, talk, expected):
    plain = post(gateway, talk).json()
    assert "logprobs" not in plain
    Transcription.model_validate(plain, strict=True)
    body = post(gateway, talk, **{"include[]": "logprobs"}).json()
    transcription = Transcription.model_validate(body, strict=True)
    assert transcription.logprobs is not None
    assert [each.token for each in transcription.logprobs] == [word.text for word in expected.words]
    for each, word in zip(transcription.logprobs, expected.words, strict=True):
        assert each.logprob == pytest.approx(math.log(word.confidence), rel=1e-6)
        assert bytes(map(int, each.bytes)).decode() == each.token


def test_events_are_openais_types(gateway, talk):
    *deltas, done = events(post(gateway, talk, stream="true", **{"include[]": "logprobs"}))
    for delta in deltas:
        event = TranscriptionTextDeltaEvent.model_validate(delta, strict=True)
        assert event.logprobs
    last = TranscriptionTextDoneEvent.model_validate(done, strict=True)
    assert len(last.logprobs) == sum(len(delta["logprobs"]) for delta in deltas)


def test_models_are_openais_type(gateway):
    body = requests.get(f"{gateway.http}/v1/models", timeout=TIMEOUT_S).json()
    for model in body["data"]:
        Model.model_validate(model, strict=True)


def test_languages_are_named_as_openai_names_them(gateway, talk):
    assert post(gateway, talk, response_format="verbose_json").json()["language"] == "chinese"
    for word in ("zh", "zh-Hans", "zh_CN", "cmn", "Chinese", "chinese", "中文"):
        body = post(gateway, talk, response_format="verbose_json", language=word).json()
        assert body["language"] == "chinese", word
    done = events(post(gateway, talk, stream="true"))[-1]
    assert done["language"] == "chinese"


@pytest.mark.parametrize("name", list(DEFAULT_ALIASES))
def test_names_that_clients_have_written_into_their_code(gateway, name):
    answer = requests.get(f"{gateway.http}/v1/models/{name}", timeout=TIMEOUT_S)
    assert answer.json()["id"] == name
    # An empty file is found out only when the model is known.
    answer = post(gateway, b"no audio", model=name)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")


def test_an_alias_by_option(triton_url, talk):
    aliases = {"our-model": "paraformer", "whisper-1": "paraformer"}
    with running_gateway(triton_url, model_aliases=aliases) as gateway:
        api = openai.OpenAI(base_url=f"{gateway.http}/v1", api_key="none", timeout=TIMEOUT_S)
        listed = [model.id for model in api.models.list()]
        assert listed == ["sensevoice", "paraformer", "whisper-1", "our-model"]
        names = (*aliases, "paraformer", "gpt-4o-transcribe")
        *asked, own = [post(gateway, talk, model=name).json()["text"] for name in names]
        assert len(set(asked)) == 1 and own not in asked


def test_keywords_are_hotwords(gateway, talk):
    body = post(gateway, talk, **{"keywords[]": ["王芳", "C++"], **BOTH}).json()
    (warning,) = body["warnings"]
    assert "hotword 'C++'" in warning  # which the embedded vocabulary cannot write


def test_a_prompt_that_is_no_list_is_told_beside_keywords(gateway, talk):
    fields = {"prompt": "[music] in the background", "keywords[]": ["王芳"]}
    (warning,) = post(gateway, talk, **fields, **BOTH).json()["warnings"]
    assert warning.startswith("some hotwords are not used: ") and "broken JSON" in warning


@pytest.mark.parametrize(
    "name",
    [
        b"filename*=utf-8''%E5%BD%95%E9%9F%B3.ulaw",  # as requests 2.21 sends 录音.ulaw
        b"filename*=\"utf-8''a.ulaw\"",
        b"FILENAME* = gb18030''%C2%BC%D2%F4.ULAW",
        b"filename*0*=utf-8''%E5%BD%95; filename*1=.ulaw",
        b'filename*0="a"; filename*1="b.ulaw"',
    ],
)
def test_a_file_whose_name_comes_in_the_extended_form_alone(
    gateway, triton_url, talk, tmp_path, name
):
    """Of audio without a header the name says what it is."""
    audio = tmp_path / "audio.ulaw"
    ffmpeg("-i", talk, "-ar", "8000", "-ac", "1", "-f", "mulaw", audio)
    with Client(triton_url) as client:
        expected = client.transcribe_file(audio).text
    body = b"".join(
        (
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n',
            b'--x\r\nContent-Disposition: form-data; name="file"; ',
            name,
            b"\r\n\r\n",
            audio.read_bytes(),
            b"\r\n--x--\r\n",
        )
    )
    answer = requests.post(
        f"{gateway.http}/v1/audio/transcriptions",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        timeout=TIMEOUT_S,
    )
    assert answer.json()["text"] == expected != ""


def test_errors_say_nothing_of_the_inside(gateway):
    for data in (b"no audio at all", b"RIFF" + bytes(100), bytes(50_000), b""):
        answer = post(gateway, data, stream="true")
        error = answer.json()["error"]
        assert answer.status_code == 400 and error["code"] == "invalid_audio", data[:20]
        for inside in ("/tmp", "triton", "Pcm", "file object", "grpc", "sample_rate"):
            assert inside not in error["message"], error


def test_a_failure_that_nobody_foresaw_has_an_id_too(triton_url, monkeypatch):
    async def fail(models: ModelList, request: object) -> None:
        raise RuntimeError("of the inside")

    monkeypatch.setattr(ModelList, "all", fail)
    with running_gateway(triton_url, allowed_origins=(ORIGIN,)) as failing:
        url, headers = f"{failing.http}/v1/models", {"Origin": ORIGIN}
        answer = requests.get(url, headers=headers, timeout=TIMEOUT_S)
    assert answer.status_code == 500
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.json()["error"]["message"] == "the gateway failed; its log says how"


def test_every_answer_has_an_id_of_its_own(gateway, talk):
    api = openai.OpenAI(base_url=f"{gateway.http}/v1", api_key="none", timeout=TIMEOUT_S)
    ids = {api.audio.transcriptions.create(model="whisper-1", file=talk)._request_id}
    with pytest.raises(openai.NotFoundError) as caught:
        api.audio.transcriptions.create(model="no model", file=talk)
    ids.add(caught.value.request_id)
    ids.add(requests.get(f"{gateway.http}/healthz", timeout=TIMEOUT_S).headers["x-request-id"])
    assert len(ids) == 3 and all(each.startswith("req_") for each in ids)


def test_there_are_no_translations(gateway, talk):
    api = openai.OpenAI(base_url=f"{gateway.http}/v1", api_key="none", timeout=TIMEOUT_S)
    with pytest.raises(openai.NotFoundError, match="no translations"):
        api.audio.translations.create(model="whisper-1", file=talk)


ORIGIN = "https://app.example.org"


def preflight(gateway, origin: str) -> requests.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-stainless-lang",
    }
    url = f"{gateway.http}/v1/audio/transcriptions"
    return requests.options(url, headers=headers, timeout=TIMEOUT_S)


def test_pages_of_other_origins_are_let_in_by_option_only(gateway, triton_url):
    assert "access-control-allow-origin" not in preflight(gateway, ORIGIN).headers
    with running_gateway(triton_url, allowed_origins=(ORIGIN,), api_keys=("a key",)) as open_to:
        answer = preflight(open_to, ORIGIN)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-origin" not in preflight(open_to, "https://evil.org").headers
        headers = {"Origin": ORIGIN, "Authorization": "Bearer a key"}
        answer = requests.get(f"{open_to.http}/v1/models", headers=headers, timeout=TIMEOUT_S)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        del headers["Authorization"]  # a page may read that its key is wrong
        answer = requests.get(f"{open_to.http}/v1/models", headers=headers, timeout=TIMEOUT_S)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, ORIGIN)
