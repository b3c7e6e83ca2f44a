"""Times for the words of a text that is not quite what was recognised.

Punctuation, ITN and capital letters change the text after the recogniser has said when each word
was heard. Here the final text is aligned with the recognised words: what is the same keeps its
own time, and what was changed takes the time of what it was made from.

    words   三 十 块    0-300 300-600 600-900        text   30块。
    result  30 块       0-600         600-900

(FunASR's servers do the same for their `timestamp` field, one pair for each Chinese character or
word of the final text.)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from asr_contract import UNSPACED

from ..results import Word

# Scripts without spaces: every character is a unit. Hangul has spaces.
_CHARACTER = UNSPACED
_ALNUM = rf"[^\W_{_CHARACTER}]"
_MARK = r"[\u0300-\u036f\u3099\u309a]"  # accents, and voices of kana, behind their letter
# A unit of text: a character, or a word or figure with the signs that belong to it.
_UNIT = re.compile(
    rf"(?P<character>[{_CHARACTER}]{_MARK}*)"
    rf"|(?:(?<!\w)[-−+])?[$€£¥₩]?{_ALNUM}{_MARK}*"
    rf"(?:{_ALNUM}|{_MARK}"
    rf"|['’&@_/~+=×÷*:-](?=[$€£¥-]?{_ALNUM})"  # don't, km/h, 3:50, 40~50, 1+1=2
    rf"|(?<=\d)[.,](?=\d)"  # 3.5, 10,000
    rf"|(?<=[~/=+×÷*:])[$€£¥-](?=\d)"
    rf")*(?:[%‰℃℉]|°[CF]?)?"
)

# Costs of an alignment. A stretch that differs is one change, from some words to some others;
# nothing is spoken without being written, nor the other way round, if it can be helped.
_CHANGE = 2
_CHANGED_UNIT = 2
_ONE_SIDED = 2

# Equal stretches of this length are taken for granted in long texts; their ends are not.
_ANCHOR_UNITS = 6
_SMALL = 2_500  # pairs of units that are compared without anchors


@dataclass(frozen=True)
class Unit:
    """A word or character of a text, at text[start:end]."""

    text: str
    start: int
    end: int


def text_units(text: str) -> list[Unit]:
    """Return the words and characters of a text that can be heard, without punctuation."""
    return [Unit(match[0], match.start(), match.end()) for match in _UNIT.finditer(text)]


def align_words(words: Sequence[Word], text: str) -> list[Word]:
    """Return the units of the final text with their times.

    Args:
        words: what was recognised, in order. Each may hold several units, which share its time
            evenly, or none (punctuation).
        text: the final text: the words after punctuation and ITN.

    Returns:
        One `Word` for each of `text_units(text)`. Their times do not decrease and do not
        overlap, and lie between the first start and the last end of `words`. A stretch that was
        changed has the time of the words it was made from, shared evenly, and the lowest of
        their confidences. A unit made from nothing gets a moment without length. Empty without
        words.
    """
    heard = list(_split(words))
    units = text_units(text)
    if not heard:
        return []
    keys = [_key(word.text) for word in heard], [_key(unit.text) for unit in units]
    timed: list[Word] = []
    for (first, last), (begin, end) in _stretches(*keys):
        count = end - begin
        if first < last:
            start_ms, end_ms = heard[first].start_ms, heard[last - 1].end_ms
        else:
            start_ms = end_ms = heard[first - 1].end_ms if first else heard[0].start_ms
        confidence = _lowest([word.confidence for word in heard[first:last]])
        for index in range(count):
            timed.append(
                Word(
                    units[begin + index].text,
                    start_ms + (end_ms - start_ms) * index // count,
                    start_ms + (end_ms - start_ms) * (index + 1) // count,
                    confidence,
                )
            )
    return timed


def _split(words: Sequence[Word]) -> Iterator[Word]:
    """Yield the units of the words, with times that do not decrease."""
    latest_ms = 0
    for word in words:
        units = text_units(word.text)
        start_ms = max(word.start_ms, latest_ms)
        latest_ms = max(word.end_ms, start_ms)
        length_ms = latest_ms - start_ms
        for index, unit in enumerate(units):
            yield Word(
                unit.text,
                start_ms + length_ms * index // len(units),
                start_ms + length_ms * (index + 1) // len(units),
                word.confidence,
            )


def _lowest(confidences: Sequence[float | None]) -> float | None:
    """Return the lowest of the confidences that are known; None without any."""
    return min((each for each in confidences if each is not None), default=None)


def _key(text: str) -> str:
    """Return what makes two units the same."""
    return unicodedata.normalize("NFKC", text).casefold()


_Range = tuple[int, int]  # first, last + 1


def _stretches(source: Sequence[str], target: Sequence[str]) -> Iterator[tuple[_Range, _Range]]:
    """Yield matching ranges of both sequences, in order and without gaps.

    Each is either one unit on both sides that is the same, or a stretch that differs.
    """
    anchors: list[tuple[int, int, int]] = []
    if len(source) * len(target) > _SMALL:
        matcher = SequenceMatcher(None, source, target, autojunk=False)
        anchors = [
            # Whether the ends of a long match belong to it is for `_aligned` to decide.
            (block.a + 1, block.b + 1, block.size - 2)
            for block in matcher.get_matching_blocks()
            if block.size >= _ANCHOR_UNITS
        ]
    first = begin = 0
    for anchor_first, anchor_begin, size in [*anchors, (len(source), len(target), 0)]:
        for (i0, i1), (j0, j1) in _aligned(source[first:anchor_first], target[begin:anchor_begin]):
            yield (first + i0, first + i1), (begin + j0, begin + j1)
        first, begin = anchor_first + size, anchor_begin + size
        for offset in range(size):
            i, j = anchor_first + offset, anchor_begin + offset
            yield (i, i + 1), (j, j + 1)


def _aligned(source: Sequence[str], target: Sequence[str]) -> list[tuple[_Range, _Range]]:
    """Align two short sequences at the least cost, as `_stretches` describes.

    Gotoh's algorithm (affine gaps) with one kind of gap for both sides: outside of a change (0),
    in one of source units so far (1), of target units (2), or of both (3).
    """
    rows, columns = len(source) + 1, len(target) + 1
    infinite = float("inf")
    cost = [[[infinite] * 4 for _ in range(columns)] for _ in range(rows)]
    origin = [[[(0, 0, 0)] * 4 for _ in range(columns)] for _ in range(rows)]
    cost[0][0][0] = 0.0

    def offer(i: int, j: int, state: int, value: float, came_from: tuple[int, int, int]) -> None:
        if value < cost[i][j][state]:
            cost[i][j][state] = value
            origin[i][j][state] = came_from

    for i in range(rows):
        for j in range(columns):
            here = cost[i][j]
            for state in (1, 2, 3):
                ending = 0 if state == 3 else _ONE_SIDED
                offer(i, j, 0, here[state] + ending, (i, j, state))
            if i < len(source) and j < len(target) and source[i] == target[j]:
                offer(i + 1, j + 1, 0, here[0], (i, j, 0))
            for state in range(4):
                value = here[state] + _CHANGED_UNIT + (_CHANGE if state == 0 else 0)
                if value == infinite:
                    continue
                if i < len(source):
                    offer(i + 1, j, state | 1, value, (i, j, state))
                if j < len(target):
                    offer(i, j + 1, state | 2, value, (i, j, state))

    stretches: list[tuple[_Range, _Range]] = []
    i, j, state = len(source), len(target), 0
    while i or j:
        last, end = i, j
        i, j, state = origin[i][j][state]
        while state:
            i, j, state = origin[i][j][state]
        stretches.append(((i, last), (j, end)))
    return stretches[::-1]
