"""Which of several equal words is not heard, where sentences repeat.

A text has a sentence twice that is said once: as many words as it has are not heard, and any row of
so many explains the audio as well, such as the end of the first and the beginning of the second.
The row that begins with a sentence is meant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from asr_contract import is_heard

from .requests import PlacedWord


def settle_omissions(
    words: Sequence[str], begins: Collection[int], placed: Sequence[PlacedWord]
) -> list[PlacedWord]:
    """Return the places of all words, rows that are not heard moved to where a sentence begins.

    A row moves over words that are equal to those at its other end, which then have their places;
    as far as it is long at most.

    Args:
        words: of the text.
        begins: numbers of the words that begin a sentence.
        placed: where the words are, in order.
    """
    settled = list(placed)
    for first, last in _rows(placed):
        length = last - first
        before, behind = max(first - length, 0), last + length
        back = _move(words[before:last][::-1], settled[before:first][::-1], length)
        forth = _move(words[first:behind], settled[last:behind], length)
        moves = [0, *range(-1, -back - 1, -1), *range(1, forth + 1)]
        move = min((m for m in moves if first + m in begins), key=abs, default=0)
        silent = settled[first:last]
        if move < 0:
            moved = settled[first + move : first]
            settled[first + move : last] = [*_at(moved[0].start_ms, silent), *moved]
        elif move > 0:
            moved = settled[last : last + move]
            settled[first : last + move] = [*moved, *_at(moved[-1].end_ms, silent)]
    return settled


def _rows(placed: Sequence[PlacedWord]) -> Iterator[tuple[int, int]]:
    """Yield the longest rows [first, last) of words that are not heard."""
    first = None
    for index, word in enumerate(placed):
        if is_heard(word.confidence):
            if first is not None:
                yield first, index
            first = None
        elif first is None:
            first = index
    if first is not None:
        yield first, len(placed)


def _move(words: Sequence[str], beyond: Sequence[PlacedWord], length: int) -> int:
    """Return how far a row may move.

    Args:
        words: those of the row, and what follows them in the direction of the move.
        beyond: the places of what follows.
        length: of the row.
    """
    steps = 0
    for word, other, place in zip(words, words[length:], beyond, strict=False):
        if word != other or not is_heard(place.confidence):
            break
        steps += 1
    return steps


def _at(time_ms: int, silent: Sequence[PlacedWord]) -> list[PlacedWord]:
    return [replace(word, start_ms=time_ms, end_ms=time_ms) for word in silent]
