"""The speaker model without a server: parity with FunASR's class, lengths, refusals, failures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from asr_core.features import KaldiNativeFbank
from asr_core.speakers import (
    SHORTEST_FRAMES,
    SPEAKER_ENCODER_OUTPUTS,
    SpeakerFbank,
    SpeakerRequest,
    SpeakerService,
)
from asr_server.graphs import prepare
from asr_server.graphs.session import Session
from tests.recordings import cut
from tests.serving import RANDOM_MODELS

GOLDEN = Path(__file__).parents[1] / "golden" / "speaker_embeddings.json"
SECONDS = (0.215, 1.5, 2.2, 6.0, 13.3)  # of the golden recordings, all from 5 s on
TINY = RANDOM_MODELS / "campplus-tiny-seed0"


@pytest.fixture(scope="module")
def encode(tmp_path_factory):
    target = tmp_path_factory.mktemp("speaker") / "model.onnx"
    report = prepare(TINY / "model.onnx", target)
    assert report.kind == "speaker"
    assert report.figures["independence_max_embedding_difference"] < 1e-4
    return Session(target, threads=1, optimise=True).function(SPEAKER_ENCODER_OUTPUTS)


def request(*sounds: np.ndarray, padding: int = 0) -> SpeakerRequest:
    width = max(map(len, sounds)) + padding
    rows = np.stack([np.pad(sound, (0, width - len(sound))) for sound in sounds])
    return SpeakerRequest(rows, np.array([[len(sound)] for sound in sounds], np.int32))


def unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)


def test_embeddings_are_those_of_funasrs_class(encode):
    """FunASR's own features and CAMPPlus in PyTorch wrote the golden numbers."""
    expected = np.array(json.loads(GOLDEN.read_text()), np.float32)
    sounds = [cut(seconds, start=5.0) for seconds in SECONDS]
    (got,) = SpeakerService(60, 32).answer([request(*sounds)], encode)
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(unit(got) - unit(expected)).max() < 1e-4


def test_neighbours_and_padding_change_nothing(encode):
    service = SpeakerService(60, max_batch_size=3)
    rng = np.random.default_rng(0)
    sounds = [cut(float(rng.choice([0.5, 1.5, 2.0])), rng.uniform(0, 50)) for _ in range(12)]
    alone = [service.answer([request(sound)], encode)[0][0] for sound in sounds]
    requests = [request(*sounds[i : i + 4], padding=1000) for i in (0, 4, 8)]
    together = np.concatenate(service.answer(requests, encode))
    assert np.abs(unit(np.array(alone)) - unit(together)).max() < 1e-5


def test_only_equal_lengths_share_a_run(encode):
    shapes = []

    def watched(*, features):
        shapes.append(features.shape[:2])
        return encode(features=features)

    sounds = [cut(seconds, 0) for seconds in (1.0, 2.0, 1.0, 1.0, 2.0)]
    SpeakerService(60, 2).answer([request(*sounds)], watched)
    assert sorted(shapes) == [(1, 98), (2, 98), (2, 198)]


def test_bad_input_fails_alone(encode):
    good = cut(1.0, 3.0)
    shortest = 400 + 160 * (SHORTEST_FRAMES - 1)
    bad = [
        (request(good[: shortest - 1]), r"row 0: expected at least 0.215 s of audio .* got 0.215"),
        (request(good, good[:0]), r"row 1: expected at least 0.215 s .* got 0.000 s"),
        (request(np.full(8000, np.nan, np.float32)), "expected finite samples"),
        (request(np.zeros(62 * 16000, np.float32)), "expected at most 60 s"),
        (SpeakerRequest(good[None], np.array([[len(good) + 1]], np.int32)), "WAV_LENS, row 0"),
    ]
    requests = [request(good), *(each for each, _ in bad), request(good[:shortest])]
    first, *refused, last = SpeakerService(60, 32).answer(requests, encode)
    for answer, (_, message) in zip(refused, bad, strict=True):
        assert isinstance(answer, ValueError)
        with pytest.raises(ValueError, match=message):
            raise answer
    assert np.isfinite(first).all() and np.isfinite(last).all()


def test_silence_and_one_value_have_an_embedding(encode):
    sounds = [np.zeros(24000, np.float32), np.full(24000, 0.5, np.float32)]
    (got,) = SpeakerService(60, 32).answer([request(*sounds)], encode)
    assert np.isfinite(got).all()


def test_a_failure_of_the_encoder_is_that_of_its_requests():
    def broken(*, features):
        if features.shape[1] == 98:
            raise RuntimeError("out of memory")
        return [np.ones((len(features), 4), np.float32)]

    short, long = cut(1.0, 0), cut(2.0, 0)
    answers = SpeakerService(60, 32).answer([request(long), request(long, short)], broken)
    assert any(isinstance(answer, RuntimeError) for answer in answers)
    assert isinstance(answers[1], RuntimeError)


def test_the_window_and_the_scale_are_the_speaker_models_own():
    sound = cut(2.0, 3.0)
    fbank = SpeakerFbank()
    features = fbank(sound)
    assert features.shape == (198, 80)
    assert np.abs(features.mean(axis=0)).max() < 1e-4
    usual = KaldiNativeFbank()(sound)
    shifted = fbank.log_mel(sound) + 2 * np.log(32768.0)  # of samples in [-1, 1]
    assert 1e-3 < np.abs(shifted - usual).mean() < 1.0
    assert len(fbank(sound[:399])) == 0
