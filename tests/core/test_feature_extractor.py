"""What the feature extractor model does to the requests of one batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_core.features import Cmvn, FeatureService, Frontend, group_by_length, split_rows
from asr_core.sensevoice import check_prompt_ids

LENGTHS = st.lists(st.integers(1, 500), max_size=20)


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


@given(LENGTHS, st.floats(0, 0.99))
def test_groups_are_a_partition_with_bounded_padding(lengths, max_padding):
    groups = group_by_length(lengths, max_padding)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        padded = len(group) * max(lengths[index] for index in group)
        assert 1 - sum(lengths[index] for index in group) / padded <= max_padding + 1e-9


@given(LENGTHS)
def test_without_padding_exactly_equal_lengths_share_a_group(lengths):
    groups = group_by_length(lengths, 0.0)
    assert len(groups) == len(set(lengths))


@given(LENGTHS, st.floats(0, 0.99))
def test_short_groups_come_first(lengths, max_padding):
    longest = [max(lengths[i] for i in g) for g in group_by_length(lengths, max_padding)]
    assert longest == sorted(longest)


@pytest.mark.parametrize("max_padding", [-0.1, 1.0, float("nan")])
def test_impossible_padding_is_refused(max_padding):
    with pytest.raises(ValueError, match="max_padding: expected 0 <= max_padding < 1"):
        group_by_length([1], max_padding)


def test_padding_of_the_waveform_never_reaches_the_features(frontend):
    extractor = FeatureService(frontend, 60, 0.0)
    waveforms, lengths = request(1.3, 0.7)
    padded = np.concatenate([waveforms, np.full((2, 9000), 0.5, np.float32)], axis=1)
    padded[1, lengths[1, 0] :] = 0.9
    for alone, together in zip(
        extractor.extract(waveforms, lengths), extractor.extract(padded, lengths), strict=True
    ):
        np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("max_padding", [0.0, 0.5])
def test_padded_requests_hold_their_features_and_zeros(frontend, max_padding):
    extractor = FeatureService(frontend, 60, max_padding)
    requests = [request(2.0), request(1.1, 0.5), request(1.9), request(0.01)]
    features = [extractor.extract(*each) for each in requests]
    answers = list(extractor.pad(features))
    assert sorted(answer.index for answer in answers) == [0, 1, 2, 3]
    for answer in answers:
        rows = features[answer.index]
        assert answer.lengths[:, 0].tolist() == [len(row) for row in rows]
        assert answer.speech.shape[1] >= 1
        for padded, row in zip(answer.speech, rows, strict=True):
            np.testing.assert_array_equal(padded[: len(row)], row)
            assert not padded[len(row) :].any()


def test_requests_of_one_group_are_neighbours_of_one_shape(frontend):
    extractor = FeatureService(frontend, 60, 0.5)
    features = [extractor.extract(*request(s)) for s in (4.0, 1.0, 3.9, 1.1, 2.1, 0.9)]
    shapes = [answer.speech.shape[1] for answer in extractor.pad(features)]
    assert shapes == sorted(shapes)
    assert len(set(shapes)) < len(shapes)


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
