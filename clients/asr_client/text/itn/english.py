"""Finds the numbers of an English text.

A stretch of number words is taken whole, as one or more numbers, or stays whole; each proposal is
read back (`english_readings`) and must give the words that were spoken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .english_numbers import CARDINALS, FRACTIONS, ONES, ORDINALS
from .english_readings import reads_as
from .english_rules import propose
from .english_stretch import Proposal
from .english_words import NOT_NUMBERS
from .replacement import Replacement

_LATIN = r"[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z\u00c0-\u024f]+)*"
_LATIN_RUN = re.compile(rf"{_LATIN}(?:[ -]{_LATIN})*")
_WORD = re.compile(r"[^ -]+")
_PHRASES = [tuple(phrase.split()) for phrase in NOT_NUMBERS]

_BETWEEN = {"and", "point"}
_REPEATS = {"double", "triple", "treble", "oh"}  # numbers with digits behind them only
# Words of numbers that no rule reads: "hundreds of people", "the nineteen nineties".
_UNREAD = """
tens hundreds thousands millions billions trillions
twenties thirties forties fifties sixties seventies eighties nineties
"""
_NUMBER_WORDS = frozenset(
    [*CARDINALS, *ORDINALS, *FRACTIONS, *_BETWEEN, *_REPEATS, *_UNREAD.split()]
)
MAX_WORDS = 60  # in one stretch; no number has so many


def find_english(text: str) -> list[Replacement]:
    """Return the numbers of a text with English words, in order."""
    found: list[Replacement] = []
    for run in _LATIN_RUN.finditer(text):
        units = list(_WORD.finditer(run[0]))
        words = [unit[0].lower().replace("’", "'") for unit in units]
        for number in _numbers(words):
            begin = run.start() + units[number.start].start()
            end = run.start() + units[number.end - 1].end()
            if not _is_name(text, begin, end):
                found.append(Replacement(begin, end, number.written))
    return found


def _is_name(text: str, begin: int, end: int) -> bool:
    """Return whether a capital within a sentence makes one word a name: Ocean's Eleven."""
    before = text[max(begin - 2, 0) : begin].rstrip()[-1:]
    return text[begin].isupper() and text[begin:end].isalpha() and before.isalpha()


def _numbers(words: Sequence[str]) -> Iterator[Proposal]:
    """Yield what is to be written for each stretch of number words, where that is proved."""
    hidden = _places_of_phrases(words)
    position = taken = 0
    while position < len(words):
        end = position
        while end < len(words) and words[end] in _NUMBER_WORDS:
            end += 1
        first, last = position, end
        while first < last and words[first] in _BETWEEN:
            first += 1
        while first < last and not _may_end(words[first:last]):
            last -= 1
        if first < last <= first + MAX_WORDS and hidden.isdisjoint(range(first, last)):
            for number in propose(words, first, last):
                if number.start >= taken and reads_as(
                    number.written, words[number.start : number.end]
                ):
                    yield number
                    taken = number.end
        position = max(end, position + 1)


def _may_end(stretch: Sequence[str]) -> bool:
    """Return whether a number may end so; "oh" only behind a digit ("twenty, oh no")."""
    if stretch[-1] == "oh":
        return len(stretch) > 1 and stretch[-2] in ("oh", *ONES[:10])
    return stretch[-1] not in _BETWEEN | _REPEATS


def _places_of_phrases(words: Sequence[str]) -> set[int]:
    firsts = {phrase[0] for phrase in _PHRASES}
    return {
        place
        for start, word in enumerate(words)
        if word in firsts
        for phrase in _PHRASES
        if tuple(words[start : start + len(phrase)]) == phrase
        for place in range(start, start + len(phrase))
    }
