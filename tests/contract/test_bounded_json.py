"""JSON from strangers: what is deep is refused before it is followed, all else is JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_contract.bounded_json import MAX_DEPTH, parse_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=50
)


def depth_of(value: Any) -> int:
    """Brackets within brackets of a value."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(value=VALUES)
def test_it_reads_what_the_standard_parser_reads(value):
    assert depth_of(value) <= MAX_DEPTH
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(
    keys=st.lists(st.none() | st.text('[]{}"\\,: a'), min_size=1, max_size=2 * MAX_DEPTH),
    words=st.text('[]{}"\\ a'),
)
def test_the_depth_is_that_of_brackets_outside_of_strings(keys, words):
    value: Any = words
    for key in keys:
        value = [words, value, words] if key is None else {key: value, words + "x": words}
    text = json.dumps(value)
    if depth_of(value) <= MAX_DEPTH:
        assert parse_json(text) == value
    else:
        with pytest.raises(ValueError, match="brackets within brackets"):
            parse_json(text)


@pytest.mark.parametrize(
    "text",
    ["[" * 20_000, '{"a":' * 5_000, '["]",' * 5_000, '["\\"]",' * 5_000, '[ "]" , ' * 5_000],
    ids=["lists", "objects", "ends in strings", "quotes in strings", "spaces"],
)
def test_what_is_deep_never_reaches_the_parser(monkeypatch, text):
    followed = []
    monkeypatch.setattr(json, "loads", followed.append)
    with pytest.raises(ValueError, match="at most 32 brackets within brackets"):
        parse_json(text)
    assert followed == []


@pytest.mark.parametrize(
    "text", ['"\\' * 500_000, '"' * 1_000_001, "[" * 33 + '"' + "\\" * 1_000_001, "\\[" * 500_000]
)
def test_what_is_broken_costs_its_length_only(text):
    with pytest.raises(ValueError, match=r"."):  # in quadratic time it would take hours
        parse_json(text)


def test_a_number_without_end_is_refused_in_our_words():
    with pytest.raises(ValueError, match=r"^expected numbers of at most 4300 digits; got more$"):
        parse_json('{"audio_fs": ' + "9" * 5000 + "}")
    assert parse_json("9" * 4300) == 10**4300 - 1


def test_what_is_no_text_is_refused():
    with pytest.raises(ValueError, match="utf-8"):
        parse_json(b'{"a": "\xff"}')
