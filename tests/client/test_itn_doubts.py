"""Spoken numbers that may mean two things stay as they were spoken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asr_client.text.itn import normalize_numbers
from tests.client.test_itn_properties import RANDOM, say, value_of


@given(
    st.integers(1, 9),
    st.sampled_from([100, 1000, 10**4, 10**8]),
    st.sampled_from(["个月", "天", "平米", "斤", "位", "直没变", "起去", "共", "定"]),
)
@RANDOM
def test_a_number_and_one_of_something_stay_words(figure, place, behind):
    text = f"要{say(figure * place)}一{behind}"
    assert normalize_numbers(text) == text


@given(st.integers(1, 99), st.integers(1, 9), st.sampled_from([100, 1000, 10**4, 10**8]))
@RANDOM
def test_a_range_whose_ends_may_share_a_place_stays_words(first, last, place):
    text = f"要{say(first)}到{say(last * place)}个"
    written = normalize_numbers(text)
    if first < last:
        assert written == text
    else:
        left, right = written.removeprefix("要").removesuffix("个").split("到")
        assert (value_of(left), value_of(right)) == (first, last * place)
