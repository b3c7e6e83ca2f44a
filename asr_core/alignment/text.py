"""Words as the tokens of a SentencePiece model, all of a text at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from asr_contract import are_spaced
from asr_core.decoding import SPACE_MARK


@dataclass(frozen=True)
class SpelledText:
    """The tokens of a text, and to which of its words each belongs.

    Attributes:
        tokens: ids.
        words: for each token, the numbers [first, last) of its words: one, unless the vocabulary
            writes several as one piece.
    """

    tokens: list[int]
    words: list[tuple[int, int]]


class TextSpeller:
    """Spells words as the recogniser would, each in its place.

    Args:
        tokenizer: `sentencepiece.SentencePieceProcessor`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._unknown = tokenizer.unk_id()

    def __call__(self, words: Sequence[str]) -> SpelledText:
        """Return the tokens of words; one that the vocabulary cannot write has none."""
        forms = [_heard_form(word) for word in words]
        tokens: list[int] = []
        owners: list[tuple[int, int]] = []
        # A stretch between words that cannot be written is spelled as one text: where a word
        # stands decides on its pieces.
        first = 0
        while first < len(forms):
            last = first
            while last < len(forms) and self._can_write(forms[last]):
                last += 1
            self._spell(forms[first:last], first, tokens, owners)
            first = max(last, first + 1)
        return SpelledText(tokens, owners)

    def _can_write(self, form: str) -> bool:
        return bool(form) and self._unknown not in self._tokenizer.encode(form)

    def _spell(
        self, forms: Sequence[str], offset: int, tokens: list[int], owners: list[tuple[int, int]]
    ) -> None:
        ends = list(accumulate(map(len, forms)))
        pieces = self._tokenizer.encode(_join(forms), out_type=str)
        bodies = [piece.replace(SPACE_MARK, "") for piece in pieces]
        if sum(map(len, bodies)) != sum(map(len, forms)):  # it writes characters another way
            if len(forms) > 1:
                for number, form in enumerate(forms):
                    self._spell([form], offset + number, tokens, owners)
                return
            bodies = [forms[0]] * len(pieces)
            ends = [len(forms[0]) * len(pieces)]
        position = word = 0
        for piece, body in zip(pieces, bodies, strict=True):
            if not body:
                continue  # a space alone is no sound
            while ends[word] <= position:
                word += 1
            position += len(body)
            last = word
            while ends[last] < position:
                last += 1
            tokens.append(self._tokenizer.piece_to_id(piece))
            owners.append((offset + word, offset + last + 1))


def _heard_form(word: str) -> str:
    """Return a word without what is not heard: marks, capitals, forms of width."""
    form = unicodedata.normalize("NFKC", word).lower()
    return "".join(char for char in form if char.isalnum() or char in "'’%" or _is_mark(char))


def _is_mark(char: str) -> bool:
    return unicodedata.category(char).startswith("M")


def _join(forms: Sequence[str]) -> str:
    text = ""
    for form in forms:
        text += f" {form}" if text and are_spaced(text, form) else form
    return text
