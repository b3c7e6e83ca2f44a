"""Times stay with their words when punctuation and ITN change the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client.results import Word
from asr_client.text.alignment import align_words, text_units
from asr_client.text.itn import find_numbers, normalize_numbers


def heard(text: str, step_ms: int = 100) -> list[Word]:
    """Each unit of a text lasts a step."""
    return [
        Word(unit.text, index * step_ms, (index + 1) * step_ms)
        for index, unit in enumerate(text_units(text))
    ]


def times(words: list[Word]) -> list[tuple[str, int, int]]:
    return [(word.text, word.start_ms, word.end_ms) for word in words]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("今天，OK。", ["今", "天", "OK"]),
        ("Don't stop, please!", ["Don't", "stop", "please"]),
        ("2026年11月21日", ["2026", "年", "11", "月", "21", "日"]),
        ("涨了30%、-15°C、$1,250.50", ["涨", "了", "30%", "-15°C", "$1,250.50"]),
        ("3:50, 40~50个 350km/h", ["3:50", "40~50", "个", "350km/h"]),
        ("커피 팔 백 원", ["커피", "팔", "백", "원"]),
        ("カフェ。𠮷野", ["カ", "フ", "ェ", "𠮷", "野"]),
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("か\u3099んは\u309aる", ["か\u3099", "ん", "は\u309a", "る"]),
        ("one,two", ["one", "two"]),
        ("—…！? ()", []),
        ("", []),
    ],
)
def test_units(text, units):
    assert [unit.text for unit in text_units(text)] == units
    assert all(text[unit.start : unit.end] == unit.text for unit in text_units(text))


def test_punctuation_and_capitals_keep_every_time():
    words = heard("today is monday 今 天")
    assert [(w.start_ms, w.end_ms) for w in align_words(words, "Today is Monday; 今天。")] == [
        (w.start_ms, w.end_ms) for w in words
    ]


def test_a_changed_stretch_takes_the_time_of_its_sources():
    assert times(align_words(heard("二零二六年十一月"), "2026年11月。")) == [
        ("2026", 0, 400),
        ("年", 400, 500),
        ("11", 500, 700),
        ("月", 700, 800),
    ]
    assert times(
        align_words(heard("it costs twenty five dollars okay"), "It costs $25, okay?")
    ) == [
        ("It", 0, 100),
        ("costs", 100, 200),
        ("$25", 200, 500),
        ("okay", 500, 600),
    ]


def test_several_words_from_one_stretch_share_it_evenly():
    assert times(align_words(heard("百 分 百"), "good enough")) == [
        ("good", 0, 150),
        ("enough", 150, 300),
    ]
    whole = [Word("今天", 0, 300), Word("。", 300, 300), Word("hello", 400, 500)]
    assert times(align_words(whole, "今天。Hello")) == [
        ("今", 0, 150),
        ("天", 150, 300),
        ("Hello", 400, 500),
    ]


@pytest.mark.parametrize(
    ("spoken", "written", "expected"),
    [
        # Of two equal units, the one beside the number stays for itself.
        ("十一一", "11一", [("11", 0, 200), ("一", 200, 300)]),
        ("一十一", "一11", [("一", 0, 100), ("11", 100, 300)]),
        (
            "one hundred and one and two",
            "101 and two",
            [("101", 0, 400), ("and", 400, 500), ("two", 500, 600)],
        ),
    ],
)
def test_ambiguous_anchors(spoken, written, expected):
    assert times(align_words(heard(spoken), written)) == expected


def test_what_comes_from_nothing_has_a_moment():
    assert times(align_words(heard("好 的"), "嗯，好的 yes")) == [
        ("嗯", 0, 0),
        ("好", 0, 100),
        ("的", 100, 200),
        ("yes", 200, 200),
    ]


def test_empty_sides():
    assert align_words([], "文字") == []
    assert align_words(heard("文字"), "。") == []
    assert align_words([Word("。", 0, 10)], "文字") == []


def test_times_that_go_backwards_are_straightened():
    words = [Word("a", 500, 400), Word("b", 100, 200), Word("c", 450, 900)]
    assert times(align_words(words, "a b c")) == [("a", 500, 500), ("b", 500, 500), ("c", 500, 900)]


UNITS = [*"今天的人一二三十百年月", "the", "one", "twenty", "7"]


@given(
    st.lists(st.tuples(st.sampled_from(UNITS), st.integers(0, 500), st.integers(0, 500))),
    st.lists(st.sampled_from([*UNITS, "，", "30%", "$25"])),
)
@settings(deadline=None)
def test_one_ordered_pair_for_each_unit(source, target):
    words, now_ms = [], 0
    for text, pause_ms, length_ms in source:
        words.append(Word(text, now_ms + pause_ms, now_ms + pause_ms + length_ms))
        now_ms = words[-1].end_ms
    text = " ".join(target)
    aligned = align_words(words, text)
    if not words:
        assert aligned == []
        return
    assert [word.text for word in aligned] == [unit.text for unit in text_units(text)]
    latest_ms = words[0].start_ms
    for word in aligned:
        assert latest_ms <= word.start_ms <= word.end_ms <= words[-1].end_ms
        latest_ms = word.end_ms


@given(st.lists(st.sampled_from([*UNITS, "，"])), st.integers(0, 3))
@settings(deadline=None)
def test_an_unchanged_text_keeps_every_time(target, repeats):
    text = " ".join(target * 3**repeats)  # also beyond the length where anchors are used
    words = heard(text, 10)
    assert align_words(words, text) == words


# Pieces with a number each, apart enough that what the number was made from is certain.
NUMBERS = ["一百二十", "二十五", "百分之三十", "三千五百", "二零二六年", "三点五", "幺三八零零"]
FILLERS = ["今天我们", "然后呢", "我觉得还是", "人民", "hello world "]


@given(st.lists(st.tuples(st.sampled_from(FILLERS), st.sampled_from(NUMBERS)), min_size=1))
@settings(max_examples=40, deadline=None)
def test_numbers_have_the_time_that_itn_says(pairs):
    spoken = "，".join(filler + number for filler, number in pairs)
    words = heard(spoken)
    aligned = align_words(words, normalize_numbers(spoken))
    source_units = text_units(spoken)
    by_start = {word.start_ms: word for word in aligned}
    for number in find_numbers(spoken):
        inside = [
            k for k, unit in enumerate(source_units) if number.start <= unit.start < number.end
        ]
        written = [unit.text for unit in text_units(number.written)]
        first = by_start[words[inside[0]].start_ms]
        assert first.text == written[0]
        last = aligned[aligned.index(first) + len(written) - 1]
        assert last.end_ms == words[inside[-1]].end_ms
