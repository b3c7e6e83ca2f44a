"""What the feature extractor model does to the requests of one batch."""

import numpy as np
import pytest

from asr_core.features import Cmvn, FeatureService, Frontend, split_rows
from asr_core.sensevoice import check_prompt_ids


@pytest.fixture(scope="module")
def frontend():
    return Frontend(Cmvn(np.full(560, -8, np.float32), np.full(560, 0.2, np.float32)))


def request(*seconds, width=None, seed=0):
    lengths = np.array([[int(s * 16_000)] for s in seconds], np.int32)
    waveforms = np.zeros((len(seconds), width or lengths.max()), np.float32)
    rng = np.random.default_rng(seed)
    for row, (length,) in zip(waveforms, lengths, strict=True):
        row[:length] = 0.1 * rng.standard_normal(length)
    return waveforms, lengths


def test_padding_of_the_waveform_never_reaches_the_features(frontend):
    service = FeatureService(frontend, 60)
    waveforms, lengths = request(1.3, 0.7)
    padded = np.concatenate([waveforms, np.full((2, 9000), 0.5, np.float32)], axis=1)
    padded[1, lengths[1, 0] :] = 0.9
    alone, together = service.answer(waveforms, lengths), service.answer(padded, lengths)
    for name, array in alone.items():
        np.testing.assert_array_equal(array, together[name])


@pytest.mark.parametrize("seconds", [(2.0,), (1.1, 0.5), (0.01,), (0.01, 1.9, 0.0)])
def test_an_answer_holds_each_rows_features_and_zeros(frontend, seconds):
    waveforms, lengths = request(*seconds)
    answer = FeatureService(frontend, 60).answer(waveforms, lengths)
    speech, frames = answer["speech"], answer["speech_lengths"]
    assert frames.shape == (len(seconds), 1)
    assert speech.shape[1] == max(1, frames.max())
    for row, waveform, length, count in zip(
        speech, waveforms, lengths[:, 0], frames[:, 0], strict=True
    ):
        np.testing.assert_array_equal(row[:count], frontend(waveform[:length]))
        assert not row[count:].any()


@pytest.mark.parametrize(
    ("waveforms", "lengths", "words"),
    [
        (np.zeros((1, 10)), [[11]], "expected 0 to 10 (the samples in WAV), got 11"),
        (np.zeros((1, 10)), [[-1]], "expected 0 to 10 (the samples in WAV), got -1"),
        (np.zeros((2, 10)), [[5]], "expected shape [2, 1] for 2 rows of WAV, got [1, 1]"),
        (np.full((1, 10), np.nan), [[10]], "WAV, row 0: expected finite samples"),
        (np.array([[0, np.inf]]), [[2]], "WAV, row 0: expected finite samples"),
        (np.zeros((1, 70 * 16_000)), [[70 * 16_000]], "at most 60 s of audio"),
    ],
)
def test_bad_audio_is_refused_with_what_was_expected(waveforms, lengths, words):
    with pytest.raises(ValueError) as error:
        split_rows(waveforms.astype(np.float32), np.array(lengths, np.int32), 60)
    assert words in str(error.value)


def test_garbage_beyond_the_true_length_is_not_looked_at():
    waveform = np.array([[0.1, np.nan]], np.float32)
    (row,) = split_rows(waveform, np.array([[1]], np.int32), 60)
    assert row.tolist() == [np.float32(0.1)]


@pytest.mark.parametrize(
    ("language", "text_norm", "words"),
    [
        ([[1]], [[14]], "LANGUAGE: expected one of 0 (auto), 3 (zh)"),
        ([[0]], [[16]], "TEXT_NORM: expected one of 14 (withitn), 15 (woitn), got 16"),
        ([[-1]], [[14]], "got -1"),
        ([[0], [0]], [[14]], "LANGUAGE: expected shape [1, 1], got [2, 1]"),
    ],
)
def test_unknown_prompt_ids_are_refused(language, text_norm, words):
    with pytest.raises(ValueError) as error:
        check_prompt_ids(np.array(language, np.int32), np.array(text_norm, np.int32), 1)
    assert words in str(error.value)
