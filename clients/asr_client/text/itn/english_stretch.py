"""A stretch of number words in its sentence, and what is proposed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Proposal:
    """words[start:end] may be written as `written`."""

    start: int
    end: int
    written: str


class Stretch:
    """A stretch of number words in its sentence: words[start:end]."""

    def __init__(self, words: Sequence[str], start: int, end: int) -> None:
        self.words, self.start, self.end = words, start, end
        self.own = list(words[start:end])

    def word(self, place: int) -> str:
        """Return the word at a place of the sentence, "" beyond its ends."""
        return self.words[place] if 0 <= place < len(self.words) else ""

    def before(self, distance: int = 1) -> str:
        """Return a word before the stretch."""
        return self.word(self.start - distance)

    def after(self, distance: int = 1) -> str:
        """Return a word behind the stretch."""
        return self.word(self.end + distance - 1)
