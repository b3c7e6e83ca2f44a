"""The sans-I/O protocol: requests that are built, answers that are understood."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_client.errors import OptionError, ProtocolError
from asr_client.protocol import (
    KNOWN_MODELS,
    InferRequest,
    ModelInterface,
    ModelMetadata,
    build_request,
    interface_from_metadata,
    parse_response,
)
from asr_client.transport.endpoint import Endpoint
from asr_contract import LANGUAGE_IDS, triton_name

SENSEVOICE = KNOWN_MODELS["sensevoice"]
PARAFORMER = KNOWN_MODELS["paraformer"]


def waveform(samples: int) -> np.ndarray:
    return np.linspace(-1, 1, samples, dtype=np.float32)


def strings(rows: list[list[str]]) -> np.ndarray:
    width = max(map(len, rows), default=0)
    padded = [[text.encode() for text in row] + [b""] * (width - len(row)) for row in rows]
    return np.array(padded, dtype=np.object_).reshape(len(rows), width)


def request(rows: int, model: str = "sensevoice") -> InferRequest:
    return build_request(KNOWN_MODELS[model], [waveform(16000)] * rows)


def test_a_sensevoice_request_has_the_four_tensors():
    built = build_request(SENSEVOICE, [waveform(3), waveform(5)], language="ja", itn=False)
    assert built.model_name == "sensevoice"
    expected = {
        "WAV": (np.float32, (2, 5)),
        "WAV_LENS": (np.int32, (2, 1)),
        "LANGUAGE": (np.int32, (2, 1)),
        "TEXT_NORM": (np.int32, (2, 1)),
    }
    assert {k: (v.dtype.type, v.shape) for k, v in built.inputs.items()} == expected
    np.testing.assert_array_equal(built.inputs["WAV"][0], [-1, 0, 1, 0, 0])
    np.testing.assert_array_equal(built.inputs["WAV_LENS"], [[3], [5]])
    np.testing.assert_array_equal(built.inputs["LANGUAGE"], [[11], [11]])
    np.testing.assert_array_equal(built.inputs["TEXT_NORM"], [[15], [15]])


def test_a_paraformer_request_has_only_the_audio():
    built = build_request(PARAFORMER, [waveform(4)], language="zh")
    assert built.model_name == "infer_pipeline"
    assert set(built.inputs) == {"WAV", "WAV_LENS"}


@given(st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_rows_keep_their_samples_and_are_padded_with_zeros(lengths):
    built = build_request(PARAFORMER, [np.ones(n, np.float32) for n in lengths])
    assert built.inputs["WAV"].shape == (len(lengths), max(lengths))
    assert built.inputs["WAV"].sum(axis=1).tolist() == lengths
    assert built.inputs["WAV_LENS"][:, 0].tolist() == lengths


@pytest.mark.parametrize("word", LANGUAGE_IDS)
def test_languages_are_words(word):
    built = build_request(SENSEVOICE, [waveform(2)], language=word.upper())
    assert built.inputs["LANGUAGE"].tolist() == [[LANGUAGE_IDS[word]]]


@pytest.mark.parametrize("word", ["", "german", "de-DE", 3, None])
def test_an_unknown_language_is_refused_with_the_known_ones(word):
    with pytest.raises(OptionError, match="auto, zh, en"):
        build_request(SENSEVOICE, [waveform(2)], language=word)


def test_no_recording_is_refused():
    with pytest.raises(OptionError, match="at least one"):
        build_request(SENSEVOICE, [])


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_full_answer(shape):
    raw = strings([["<|zh|><|HAPPY|><|Speech|><|withitn|>你好"], ["<|en|>"]])
    outputs = {
        "TRANSCRIPTS": raw.reshape(shape),
        "TEXT": strings([["你好"], [""]]),
        "DETECTED_LANGUAGE": strings([["zh"], ["en"]]),
        "EMOTION": strings([["HAPPY"], ["NEUTRAL"]]),
        "EVENT": strings([["Speech"], [""]]),
        "TOKENS": strings([["你", "好"], []]),
        "TIMESTAMPS": np.array([[[60, 180], [180, 300]], [[-1, -1], [-1, -1]]], np.int32),
        "CONFIDENCE": np.array([[0.5, 0.25], [0, 0]], np.float32),
    }
    first, second = parse_response(request(2), outputs)
    assert (first.text, first.language, first.emotion, first.event) == (
        ("你好", "zh", "HAPPY", "Speech")
    )
    assert first.tokens == ["你", "好"]
    assert first.timestamps_ms == [(60, 180), (180, 300)]
    assert first.confidence == [0.5, 0.25]
    assert first.duration_s == 1.0
    assert first.raw_text.startswith("<|zh|>")
    assert (second.text, second.tokens, second.timestamps_ms) == ("", [], [])
    assert second.event is None
    assert json.loads(json.dumps(first.to_dict()))["timestamps_ms"] == [[60, 180], [180, 300]]


def test_times_of_minus_one_mean_that_there_are_none():
    outputs = {
        "TRANSCRIPTS": strings([["你好"]]),
        "TOKENS": strings([["你", "好"]]),
        "TIMESTAMPS": np.full((1, 2, 2), -1, np.int32),
        "CONFIDENCE": np.ones((1, 2), np.float32),
    }
    (transcript,) = parse_response(request(1, "paraformer"), outputs)
    assert transcript.timestamps_ms is None
    assert transcript.tokens == ["你", "好"]
    assert transcript.language is None


def test_a_server_that_only_has_transcripts_is_understood_by_its_tags():
    raw = "<|yue|><|SAD|><|BGM|><|withitn|>早晨<|Laughter|>"
    outputs = {"TRANSCRIPTS": np.array([raw.encode()], dtype=np.object_)}  # shape [1] here
    (transcript,) = parse_response(request(1), outputs)
    assert transcript.text == "早晨"
    assert (transcript.language, transcript.emotion, transcript.event) == ("yue", "SAD", "BGM")
    assert (transcript.tokens, transcript.timestamps_ms, transcript.confidence) == ([], None, None)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "TRANSCRIPTS; got"),
        ({"TRANSCRIPTS": strings([["a"], ["b"]])}, r"TRANSCRIPTS: expected shape \[1, 1\]"),
        ({"TRANSCRIPTS": np.array([[1.0]], np.float32)}, "STRING elements; got float"),
        ({"TRANSCRIPTS": np.array([[b"\xff\xfe"]], dtype=np.object_)}, "expected UTF-8"),
        (
            {"TRANSCRIPTS": strings([["a"]]), "TOKENS": strings([["a"], ["b"]])},
            r"TOKENS: expected shape \[1, n\]",
        ),
        (
            {
                "TRANSCRIPTS": strings([["a"]]),
                "TOKENS": strings([["a"]]),
                "TIMESTAMPS": np.zeros((1, 2, 2), np.int32),
            },
            "TIMESTAMPS: expected shape",
        ),
        (
            {
                "TRANSCRIPTS": strings([["a"]]),
                "TOKENS": strings([["a"]]),
                "CONFIDENCE": np.zeros((1, 3), np.float32),
            },
            "CONFIDENCE: expected shape",
        ),
    ],
)
def test_an_answer_of_another_kind_is_named(outputs, message):
    with pytest.raises(ProtocolError, match=message):
        parse_response(request(1), outputs)


def test_model_names():
    assert triton_name("sensevoice") == "sensevoice"
    assert triton_name("paraformer") == "infer_pipeline"
    assert triton_name("my_own") == "my_own"


def test_a_model_of_another_name_is_asked_what_its_metadata_says():
    metadata = ModelMetadata(frozenset({"WAV", "WAV_LENS", "LANGUAGE"}), frozenset({"TRANSCRIPTS"}))
    interface = interface_from_metadata("mine", metadata)
    assert interface == ModelInterface("mine", frozenset({"WAV", "WAV_LENS", "LANGUAGE"}))
    assert set(build_request(interface, [waveform(2)]).inputs) == {"WAV", "WAV_LENS", "LANGUAGE"}


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ({"WAV"}, {"TRANSCRIPTS"}),
        ({"WAV", "WAV_LENS", "BEAM"}, {"TRANSCRIPTS"}),
        ({"WAV", "WAV_LENS"}, {"logits"}),
    ],
)
def test_a_model_that_is_no_recogniser_is_refused(inputs, outputs):
    with pytest.raises(ProtocolError, match="'other': expected the inputs WAV, WAV_LENS"):
        interface_from_metadata("other", ModelMetadata(frozenset(inputs), frozenset(outputs)))


@pytest.mark.parametrize(
    ("url", "address", "base_path", "grpc", "tls"),
    [
        ("grpc://h:1", "h:1", "", True, False),
        ("grpc://127.0.0.1", "127.0.0.1:8001", "", True, False),
        ("grpcs://h", "h:443", "", True, True),
        ("http://h", "h:8000", "", False, False),
        ("http://h:1/triton/", "h:1", "/triton", False, False),
        ("https://h", "h:443", "", False, True),
        ("http://[::1]:9", "[::1]:9", "", False, False),
        ("unix:/run/a/grpc:0", "unix:/run/a/grpc:0", "", True, False),
    ],
)
def test_urls(url, address, base_path, grpc, tls):
    endpoint = Endpoint.parse(url)
    assert (endpoint.address, endpoint.base_path) == (address, base_path)
    assert (endpoint.uses_grpc, endpoint.uses_tls) == (grpc, tls)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8001",
        "ftp://h",
        "grpc://",
        "http://h:x",
        "http://h:99999",
        "grpc://h/p",
        "http://u:p@h",
        "http://h?x=1",
        None,
        5,
    ],
)
def test_urls_that_make_no_sense_are_refused_with_the_form_expected(url):
    with pytest.raises(OptionError, match="grpc://host:port"):
        Endpoint.parse(url)
