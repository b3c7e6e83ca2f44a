"""Hotwords: what clients write is what the server reads."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_contract import (
    Hotword,
    join_hotwords,
    parse_hotwords,
    requested_hotwords,
    write_hotwords,
)

WEIGHTS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-99, 99)
TEXTS = st.text(st.characters(codec="utf-8")).map(str.strip).filter(bool)
WORDS = st.dictionaries(TEXTS, WEIGHTS, max_size=8).map(
    lambda weights: [Hotword(text, weight) for text, weight in weights.items()]
)


def plain(*words: str) -> list[Hotword]:
    return [Hotword(word) for word in words]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        (" \n ,， ", []),
        ("阿里巴巴", plain("阿里巴巴")),
        ("阿里巴巴 达摩院", plain("阿里巴巴", "达摩院")),
        ("阿里巴巴,达摩院，腾讯、百度;华为", plain("阿里巴巴", "达摩院", "腾讯", "百度", "华为")),
        ("阿里巴巴 20\n达摩院 30.5\r\n", [Hotword("阿里巴巴", 20.0), Hotword("达摩院", 30.5)]),
        ("阿里巴巴\t20\n\n腾讯", [Hotword("阿里巴巴", 20.0), Hotword("腾讯")]),
        ("阿里巴巴 20 腾讯 -5", [Hotword("阿里巴巴", 20.0), Hotword("腾讯", -5.0)]),
        ("2024\n110 20", [Hotword("2024"), Hotword("110", 20.0)]),
        ("腾讯 20\n腾讯 30", [Hotword("腾讯", 30.0)]),
        (
            '{"阿里巴巴": 20, "hello world": 40}',
            [Hotword("阿里巴巴", 20), Hotword("hello world", 40)],
        ),
        (' ["阿里巴巴", " ", "2024"]', plain("阿里巴巴", "2024")),
        ("{}", []),
        ("[]", []),
    ],
)
def test_forms(text: str, expected: list[Hotword]) -> None:
    assert parse_hotwords(text) == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"阿里巴巴": }', r"hotwords: expected words .* got broken JSON"),
        ("[1, 2]", "got the word 1"),
        ('[["阿里巴巴", 20]]', "got the word"),
        ('{"阿里巴巴": "20"}', "expected a number as the weight of '阿里巴巴', got \"20\""),
        ('{"阿里巴巴": true}', "expected a number as the weight"),
    ],
)
def test_broken_forms_say_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_hotwords(text)


@given(st.dictionaries(st.text("的一是ab'", min_size=1), st.integers(-99, 99)))
def test_all_forms_say_the_same(weights: dict[str, int]) -> None:
    expected = [Hotword(word, float(weight)) for word, weight in weights.items()]
    assert parse_hotwords(json.dumps(weights)) == expected
    assert parse_hotwords("\n".join(f"{word} {n}" for word, n in weights.items())) == expected
    assert parse_hotwords(json.dumps(list(weights))) == plain(*weights)
    assert parse_hotwords(" ".join(weights)) == plain(*weights)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        words = parse_hotwords(text)
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert len({word.text for word in words}) == len(words)


def test_parameter_of_a_request() -> None:
    for parameters in ("", "{}", '{"chunk_size": "1"}'):
        assert requested_hotwords(parameters) == ""
    assert requested_hotwords('{"hotwords": "{\\"腾讯\\": 20}"}') == '{"腾讯": 20}'
    with pytest.raises(ValueError, match="expected text, got int"):
        requested_hotwords('{"hotwords": 20}')


@given(WORDS)
def test_what_is_written_is_read(words: list[Hotword]) -> None:
    text = write_hotwords(words)
    assert parse_hotwords(text) == words
    assert write_hotwords(parse_hotwords(text)) == write_hotwords(words)


@given(WORDS, WORDS)
def test_joined_words_are_both_and_the_later_weight_counts(one, other) -> None:
    both = {word.text: word for word in [*one, *other]}
    assert parse_hotwords(join_hotwords(write_hotwords(one), write_hotwords(other))) == [
        *both.values()
    ]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((), ""),
        (("", " \n"), ""),
        (("阿里巴巴;达摩院", "腾讯"), ["阿里巴巴", "达摩院", "腾讯"]),
        (("阿里巴巴 20", "腾讯 -5"), {"阿里巴巴": 20, "腾讯": -5}),
        (("阿里巴巴 20", '["hello world"]'), {"阿里巴巴": 20, "hello world": None}),
        (("2024",), ["2024"]),
    ],
)
def test_forms_are_joined(texts: tuple[str, ...], expected: object) -> None:
    joined = join_hotwords(*texts)
    assert (json.loads(joined) if joined else "") == expected


def test_what_cannot_be_read_is_not_joined() -> None:
    with pytest.raises(ValueError, match="broken JSON"):
        join_hotwords("阿里巴巴", "[a prompt")


@pytest.mark.parametrize(
    "text",
    ['{"a": NaN}', '{"a": Infinity}', '{"a": 1e999}', f'{{"a": 1{"0" * 400}}}', "a 1" + "0" * 400],
)
def test_a_weight_is_a_finite_number(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number as the weight of 'a'"):
        parse_hotwords(text)


@pytest.mark.parametrize("weight", [math.nan, math.inf, "20", True])
def test_no_other_weight_is_written(weight: object) -> None:
    with pytest.raises(ValueError, match="expected a number as the weight of '腾讯'"):
        write_hotwords([Hotword("腾讯", weight)])  # type: ignore[arg-type]


def test_deep_json_is_refused_as_any_other() -> None:
    with pytest.raises(ValueError, match="broken JSON"):
        parse_hotwords("[" * 100_000)


def test_a_text_without_end_is_refused_before_it_is_read():
    with pytest.raises(ValueError, match="expected at most 500000 characters; got 500001"):
        parse_hotwords("a" * 500_001)
