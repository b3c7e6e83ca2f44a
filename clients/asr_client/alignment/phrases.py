"""Cuts a recording at the pauses between words that are about known, and puts the parts together.

An aligner spreads all tokens that it is given over all audio that it is given. So it is given what
belongs together: the words that are heard between two pauses, and their audio.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr_contract import is_heard

from .requests import PlacedWord

_PAUSE_MS = 500
_MARGIN_MS = 250  # of silence on either side of a phrase, at most half of the pause
_LONGEST_MS = 30_000
_SHORTEST_MS = 60  # less audio has no time to tell

Times = Sequence[tuple[int, int]]  # begin and end, in ms


@dataclass(frozen=True)
class Phrase:
    """Words that are said between two pauses.

    Attributes:
        words: their numbers in the text, rising.
        start_ms, end_ms: their audio, with some silence.
    """

    words: list[int]
    start_ms: int
    end_ms: int


def cut_into_phrases(placed: Sequence[PlacedWord], duration_ms: int) -> list[Phrase]:
    """Return the phrases of a recording; words that are not heard are in none.

    Args:
        placed: all words of the text, in order, about where they are.
        duration_ms: of the recording.
    """
    groups: list[list[int]] = []
    for index, word in enumerate(placed):
        if not is_heard(word.confidence):
            continue
        if groups and word.start_ms - placed[groups[-1][-1]].end_ms < _PAUSE_MS:
            groups[-1].append(index)
        else:
            groups.append([index])
    groups = [part for group in groups for part in _shortened(group, placed)]
    phrases = []
    for number, group in enumerate(groups):
        before_ms = placed[groups[number - 1][-1]].end_ms if number else -_MARGIN_MS
        last = number == len(groups) - 1
        after_ms = duration_ms + _MARGIN_MS if last else placed[groups[number + 1][0]].start_ms
        start_ms, end_ms = placed[group[0]].start_ms, placed[group[-1]].end_ms
        start_ms = max(start_ms - _MARGIN_MS, (before_ms + start_ms + 1) // 2, 0)
        end_ms = min(end_ms + _MARGIN_MS, (end_ms + after_ms) // 2, duration_ms)
        if end_ms - start_ms >= _SHORTEST_MS:
            phrases.append(Phrase(group, start_ms, end_ms))
    return phrases


def _shortened(group: list[int], placed: Sequence[PlacedWord]) -> Iterator[list[int]]:
    """Cut a phrase that is too long at its longest pauses, of equal ones nearest to its middle."""
    waiting = [group]
    while waiting:
        part = waiting.pop()
        length_ms = placed[part[-1]].end_ms - placed[part[0]].start_ms
        if length_ms <= _LONGEST_MS or len(part) == 1:
            yield part
            continue
        place = max(
            range(1, len(part)),
            key=lambda n: (
                placed[part[n]].start_ms - placed[part[n - 1]].end_ms,
                -abs(2 * n - len(part)),
            ),
        )
        waiting += [part[place:], part[:place]]


def put_together(
    placed: Sequence[PlacedWord], phrases: Sequence[Phrase], times: Sequence[Times]
) -> list[PlacedWord]:
    """Return all words with the times of their phrases; those in none lie between them.

    Args:
        placed: as `cut_into_phrases` got them.
        phrases: as it gave them.
        times: of the words of each phrase, from its start.
    """
    found = {
        index: (phrase.start_ms + start, phrase.start_ms + end)
        for phrase, own in zip(phrases, times, strict=True)
        for index, (start, end) in zip(phrase.words, own, strict=True)
    }
    limits: list[float] = []  # for each word, when the next one of a phrase begins
    limit: float = math.inf
    for index in reversed(range(len(placed))):
        limits.append(limit)
        limit = found[index][0] if index in found else limit
    words: list[PlacedWord] = []
    latest_ms = 0
    for index, (word, limit) in enumerate(zip(placed, reversed(limits), strict=True)):
        start_ms, end_ms = found.get(index) or (
            int(min(max(time_ms, latest_ms), limit)) for time_ms in (word.start_ms, word.end_ms)
        )
        words.append(PlacedWord(start_ms, end_ms, word.confidence))
        latest_ms = end_ms
    return words
