"""Rows of words that are not heard, in texts that repeat."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from asr_client.alignment.omissions import settle_omissions
from asr_client.alignment.requests import PlacedWord
from asr_contract import is_heard


def placed(heard: str) -> list[PlacedWord]:
    """A second for each word that is heard."""
    words, time_ms = [], 0
    for sign in heard:
        words.append(PlacedWord(time_ms, time_ms + (sign == "+") * 1000, float(sign == "+")))
        time_ms = words[-1].end_ms
    return words


def signs(words: list[PlacedWord]) -> str:
    return "".join("+" if is_heard(word.confidence) else "-" for word in words)


def test_a_row_moves_to_where_a_sentence_begins():
    for heard in ("++----++", "+----+++", "+++----+", "----++++", "++++----"):
        settled = settle_omissions("abcdabcd", {0, 4, 8}, placed(heard))
        assert signs(settled) in ("----++++", "++++----")
        assert [word.start_ms for word in settled if word.confidence] == [0, 1000, 2000, 3000]


def test_a_row_stays_where_the_words_differ_or_no_sentence_begins():
    assert signs(settle_omissions("abcdabce", {0, 4}, placed("+----+++"))) == "----++++"
    assert signs(settle_omissions("abcdxbcd", {0, 4}, placed("+---++++"))) == "+---++++"
    assert signs(settle_omissions("aaaaaa", {0}, placed("+++--+"))) == "+++--+"


@given(st.text("ab", max_size=30), st.data())
def test_what_is_said_and_when_is_as_before(words, data):
    heard = data.draw(st.text("+-", min_size=len(words), max_size=len(words)))
    begins = data.draw(st.sets(st.integers(0, 30)))
    before = placed(heard)
    after = settle_omissions(words, begins, before)

    def said(places: list[PlacedWord]) -> list[tuple[str, PlacedWord]]:
        return [(w, p) for w, p in zip(words, places, strict=True) if is_heard(p.confidence)]

    assert said(after) == said(before)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(after))
