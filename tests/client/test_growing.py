"""Text of speech that is still spoken, from decodings of any kind: what is committed, its cost."""

from __future__ import annotations

import random

import pytest

from asr_client import Word
from asr_client.streaming.growing import DECODINGS, STEP_MS, WINDOW_MS, GrowingText

MS_PER_WORD = 250


def spoken(first_ms: int, last_ms: int, rng: random.Random, wrong: float) -> list[Word]:
    """Words of a window, of which the model hears some wrongly or not, and times roughly."""
    words = []
    for index in range(-(-first_ms // MS_PER_WORD), last_ms // MS_PER_WORD):
        text = f"w{index}" if rng.random() > wrong else rng.choice(["x", "y", ""])
        start = index * MS_PER_WORD + rng.randrange(-30, 31)
        if text:
            words.append(Word(text, start, start + 200, rng.choice([None, 0.99, 0.6, 0.9])))
    return words


@pytest.mark.parametrize("seed", range(20))
def test_committed_words_never_change_and_cost_is_bounded(seed):
    rng = random.Random(seed)
    wrong = rng.choice([0, 0.05, 0.5, 1])
    text, committed = GrowingText(), []
    heard_ms = decoded_ms = 0
    while heard_ms < 40_000:
        heard_ms += rng.randrange(10, rng.choice([60, 600, 3000]))
        if not text.is_due(heard_ms):
            continue
        span_ms = heard_ms - text.window_ms
        decoded_ms += span_ms
        text.accept(spoken(text.window_ms, heard_ms, rng, wrong), heard_ms)
        assert text.committed[: len(committed)] == committed
        committed = list(text.committed)
        assert heard_ms - text.window_ms <= WINDOW_MS
        assert decoded_ms <= DECODINGS * heard_ms
    text.accept(spoken(text.window_ms, heard_ms, rng, wrong), heard_ms, is_last=True)
    assert text.committed[: len(committed)] == committed and not text.tentative
    if not wrong:  # each word once, in order, across all windows
        assert [word.text for word in text.committed] == [
            f"w{index}" for index in range(heard_ms // MS_PER_WORD)
        ]


def test_a_word_is_committed_when_two_decodings_agree_and_the_model_is_sure():
    text = GrowingText()
    first = [Word("a", 0, 100, 0.9), Word("b", 200, 300, 0.9), Word("c", 400, 500, 0.5)]
    text.accept(first, 600)
    assert (text.committed, text.shown, text.tentative) == ([], first[:2], first)
    text.accept([*first[:1], Word("B", 200, 300, 0.9), *first[2:]], 1000)
    assert [word.text for word in text.committed] == ["a"]
    assert [word.text for word in text.shown] == ["B"]  # "c" is doubtful


def test_words_that_are_alike_are_told_apart_by_their_times():
    text = GrowingText()
    words = [Word("八", at, at + 60, 0.9) for at in (0, 240, 480)]
    text.accept(words[:2], 500)
    text.accept(words[:2], 900)
    assert len(text.committed) == 2
    shifted = [Word("八", at + 60, at + 120, 0.9) for at in (0, 240, 480, 720)]
    text.accept(shifted, 1300)
    assert [word.start_ms for word in text.tentative] == [540, 780]


def test_no_decoding_is_due_without_audio():
    text = GrowingText()
    assert not text.is_due(STEP_MS - 1) and text.is_due(STEP_MS)
    text.accept([], STEP_MS)
    assert not text.is_due(STEP_MS) and text.is_due(2 * STEP_MS)
