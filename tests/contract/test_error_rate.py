"""The character error rate against an independent edit distance."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_contract import ErrorCount, character_error_rate, count_errors
from asr_contract.error_rate import normalize


def edit_distance(a: str, b: str) -> int:
    """The textbook table, row by row."""
    previous = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (x != y)))
        previous = row
    return previous[-1]


few_letters = st.text("ab你好", max_size=12)  # few, so that alignments are ambiguous


@given(few_letters, few_letters)
def test_errors_are_the_edit_distance(reference, hypothesis):
    count = count_errors(reference, hypothesis)
    assert count.errors == edit_distance(reference, hypothesis)
    assert count.reference_length == len(reference)
    assert len(reference) - count.deletions + count.insertions == len(hypothesis)


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_same_for_any_text_after_normalising(reference, hypothesis):
    count = count_errors(reference, hypothesis)
    assert count.errors == edit_distance(normalize(reference), normalize(hypothesis))


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text):
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好，世界！", "你好世界"),
        ("Ｈｅｌｌｏ　Ｗｏｒｌｄ", "helloworld"),
        ("Don't stop.", "dontstop"),
        ("１２３", "123"),
        ("안녕 하세요", "안녕하세요"),
        ("a\tb\nc\u200b", "abc"),
        ("20℃", "20°c"),
        ("", ""),
    ],
)
def test_what_does_not_count(text, expected):
    assert normalize(text) == expected


def test_counts():
    assert count_errors("今天天气好", "今天天汽很好呀") == ErrorCount(1, 0, 2, 5)
    assert count_errors("abc", "") == ErrorCount(0, 3, 0, 3)
    total = count_errors("abc", "abd") + count_errors("xy", "y")
    assert (total.errors, total.reference_length, total.rate) == (2, 5, 0.4)


def test_the_rate_of_an_empty_reference():
    assert count_errors("", "").rate == 0.0
    assert count_errors("。", "").rate == 0.0
    assert math.isinf(count_errors("", "a").rate)


@given(st.lists(st.tuples(st.text("ab 好", min_size=1), st.text("ab 好")), min_size=1))
def test_the_rate_of_many_texts_leaves_out_spaces_only(pairs):
    bare = [(one.replace(" ", ""), other.replace(" ", "")) for one, other in pairs]
    characters = sum(len(one) for one, _ in bare)
    if characters:
        errors = sum(edit_distance(*pair) for pair in bare)
        assert character_error_rate(*zip(*pairs, strict=True)) == errors / characters
    else:
        with pytest.raises(ValueError, match="expected references with characters"):
            character_error_rate(*zip(*pairs, strict=True))


def test_a_rate_needs_as_many_texts_as_references():
    assert character_error_rate(["A。", "b"], ["a。", "b"]) == 1 / 3
    with pytest.raises(ValueError):
        character_error_rate(["a"], ["a", "b"])


def test_long_texts_take_no_table_of_their_lengths():
    """A minute at most, where a cell for each pair of characters would take many."""
    rng = random.Random(0)
    reference = "".join(rng.choices("一二三四五六七八九十", k=50_000))
    hypothesis = "".join(c for c in reference if rng.random() > 0.05)
    start = time.monotonic()
    count = count_errors(reference, hypothesis)
    assert time.monotonic() - start < 60
    assert count.deletions >= len(reference) - len(hypothesis)
