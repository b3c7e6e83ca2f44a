"""CTC greedy search."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_core.sensevoice.ctc import greedy_search

PATHS = st.lists(st.integers(0, 4), max_size=40)


def search(ids):
    return greedy_search(np.array(ids, np.int32), np.zeros(len(ids), np.float32))


@given(PATHS)
def test_collapses_repeats_then_drops_blanks(ids):
    expected = [token for token, _ in groupby(ids) if token != 0]
    assert [token.token_id for token in search(ids)] == expected


@given(PATHS)
def test_spans_are_where_the_token_is_best(ids):
    covered = set()
    for token in search(ids):
        span = range(token.start_frame, token.end_frame)
        assert {ids[frame] for frame in span} == {token.token_id}
        covered |= set(span)
    assert covered == {frame for frame, best in enumerate(ids) if best != 0}


def test_score_is_the_mean_over_the_span():
    (token,) = greedy_search(np.array([3, 3, 0], np.int32), np.array([-1, -3, -9], np.float32))
    assert token.log_prob == pytest.approx(-2)


def test_rows_are_searched_alone():
    """A repeat in one row is collapsed though another row differs there."""
    assert [token.token_id for token in search([5, 5, 0, 5])] == [5, 5]
    assert [token.token_id for token in search([5, 6, 6, 5])] == [5, 6, 5]
