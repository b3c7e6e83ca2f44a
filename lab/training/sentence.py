"""A sentence as a sequence of words, each with its spoken, pronounced and written form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

PUNCTUATION = frozenset("，、。？,.?")
HELD_OUT_ONE_IN = 20
"""One text in twenty, chosen by its hash, is kept for the held-out sets."""


@dataclass(frozen=True)
class SentenceWord:
    """One word.

    text: the word as spoken ("三", "three"); what a recogniser writes without ITN.
    sound: what the synthesiser reads (pinyin, jyutping, kana, or the text itself).
    written: the word after ITN; the first word of a number carries the whole number
        ("325") and the following ones carry the empty string.
    """

    text: str
    sound: str
    written: str

    @property
    def is_punctuation(self) -> bool:
        return self.text in PUNCTUATION


def plain_word(text: str, sound: str | None = None) -> SentenceWord:
    """A word that ITN leaves alone."""
    return SentenceWord(text, text if sound is None else sound, text)


def number_words(words: Iterable[tuple[str, str]], written: str) -> list[SentenceWord]:
    """The (text, sound) pairs of a spoken number, with its written form on the first."""
    pairs = list(words)
    return [
        SentenceWord(text, sound, written if index == 0 else "")
        for index, (text, sound) in enumerate(pairs)
    ]


@dataclass(frozen=True)
class Sentence:
    """Words with punctuation.

    spaced: the language writes spaces. from_template: it says something; others are digits, numbers
        or words in a row.
    """

    words: tuple[SentenceWord, ...]
    language: str
    spaced: bool = False
    from_template: bool = False

    def spoken(self) -> str:
        """Text as spoken, without punctuation (the target of woitn and of Paraformer)."""
        return self._join(w.text for w in self.words if not w.is_punctuation)

    def punctuated(self) -> str:
        """Text as spoken, with punctuation."""
        return self._attach_punctuation([w.text for w in self.words])

    def written(self) -> str:
        """Text after ITN, with punctuation (the target of withitn)."""
        return self._attach_punctuation([w.written for w in self.words])

    def held_out(self) -> bool:
        """Whether this text is reserved for the held-out sets."""
        return is_held_out(self.spoken())

    def _join(self, parts: Iterable[str]) -> str:
        return (" " if self.spaced else "").join(part for part in parts if part)

    def _attach_punctuation(self, parts: list[str]) -> str:
        text = self._join(parts)
        if self.spaced:
            for mark in PUNCTUATION:
                text = text.replace(" " + mark, mark)
        return text


def is_held_out(text: str) -> bool:
    """Whether `text` belongs to the one in twenty kept out of training, by its SHA-1."""
    digest = hashlib.sha1(text.replace(" ", "").encode(), usedforsecurity=False).digest()
    return digest[0] * 256 + digest[1] < 65536 // HELD_OUT_ONE_IN
