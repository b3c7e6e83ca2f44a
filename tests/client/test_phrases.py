"""Phrases that `fa-zh` is given: what is heard between pauses, and how it is put together again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_client.alignment.choice import is_chinese
from asr_client.alignment.phrases import cut_into_phrases, put_together
from asr_client.alignment.requests import PlacedWord


@st.composite
def recordings(draw) -> tuple[list[PlacedWord], int]:
    """Words in order, some unheard or unknown, and the length of the recording."""
    words, time_ms = [], draw(st.integers(0, 3000))
    for _ in range(draw(st.integers(1, 40))):
        length_ms = draw(st.sampled_from([0, 20, 180, 400, 9000]))
        confidence = draw(st.sampled_from([0.9, 0.9, 0.9, None, 0.0]))
        words.append(PlacedWord(time_ms, time_ms + length_ms, confidence))
        time_ms += length_ms + draw(st.sampled_from([0, 0, 0, 60, 499, 500, 4000]))
    return words, time_ms + draw(st.integers(0, 1000))


@given(recordings())
def test_heard_words_are_in_one_phrase_each_in_order_and_phrases_do_not_overlap(recording):
    words, duration_ms = recording
    phrases = cut_into_phrases(words, duration_ms)
    numbers = [index for phrase in phrases for index in phrase.words]
    assert numbers == sorted(set(numbers))
    for index, word in enumerate(words):
        if word.confidence == 0.0:
            assert index not in numbers
        elif word.end_ms - word.start_ms >= 60:
            assert index in numbers
    for phrase in phrases:
        inside = [words[index] for index in phrase.words]
        assert 0 <= phrase.start_ms <= inside[0].start_ms
        assert inside[-1].end_ms <= phrase.end_ms <= duration_ms
        assert phrase.end_ms - phrase.start_ms <= 30_000 + 500
        assert all(b.start_ms - a.end_ms < 500 for a, b in pairwise(inside))
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(phrases))


@given(recordings(), st.randoms(use_true_random=False))
def test_words_are_in_order_whatever_the_aligner_says(recording, random):
    words, duration_ms = recording
    phrases = cut_into_phrases(words, duration_ms)
    times = []
    for phrase in phrases:
        length_ms = phrase.end_ms - phrase.start_ms
        bounds = sorted(random.randint(0, length_ms) for _ in range(2 * len(phrase.words)))
        times.append(list(zip(bounds[::2], bounds[1::2], strict=True)))
    result = put_together(words, phrases, times)
    assert [word.confidence for word in result] == [word.confidence for word in words]
    for before, after in pairwise(result):
        assert before.start_ms <= before.end_ms <= after.start_ms <= after.end_ms
    for phrase, own in zip(phrases, times, strict=True):
        for index, (start_ms, end_ms) in zip(phrase.words, own, strict=True):
            assert result[index].start_ms == phrase.start_ms + start_ms
            assert result[index].end_ms == phrase.start_ms + end_ms


@pytest.mark.parametrize(
    ("words", "language", "expected"),
    [
        ("今天天气", "zh", True),
        ("今天天气", "auto", True),
        ("今天天气", "yue", False),
        (["用", "Triton", "识", "别"], "auto", True),
        (["the", "word", "好"], "zh", False),
        ("今日は", "auto", False),
        (["안녕하세요"], "auto", False),
        (["2024", "年"], "zh", True),
    ],
)
def test_fa_zh_is_for_mandarin_with_some_english(words, language, expected):
    assert is_chinese(list(words), language) is expected
