"""Which of the VAD's streams share a length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_core.features import group_by_length

LENGTHS = st.lists(st.integers(1, 500), max_size=20)


@given(LENGTHS, st.floats(0, 0.99))
def test_groups_are_a_partition_with_bounded_padding(lengths, max_padding):
    groups = group_by_length(lengths, max_padding)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        padded = len(group) * max(lengths[index] for index in group)
        assert 1 - sum(lengths[index] for index in group) / padded <= max_padding + 1e-9


@given(LENGTHS, st.floats(0, 0.99), st.integers(1, 2000))
def test_groups_of_several_are_bounded(lengths, max_padding, max_frames):
    groups = group_by_length(lengths, max_padding, max_frames)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[i] for i in group) <= max_frames


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
