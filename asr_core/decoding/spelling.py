"""Hotwords as token ids of a recogniser's vocabulary, in each way it may write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asr_core.text import CONTINUES

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Joints:
    """Where two tokens are of one word of letters: one that goes on, and one that continues it.

    Attributes:
        goes_on: tokens that what follows may continue.
        continues: tokens that continue the one before, if it goes on.
    """

    goes_on: frozenset[int] = frozenset()
    continues: frozenset[int] = frozenset()


class Speller(Protocol):
    """Writes words with the tokens of a recogniser."""

    @property
    def joints(self) -> Joints:
        """Where tokens are of one word."""

    def __call__(self, word: str) -> list[Ids]:
        """Return the spellings of a word, at least one.

        Raises:
            ValueError: the vocabulary cannot write it.
        """


SPACE_MARK = "\u2581"  # SentencePiece's
MAX_SPELLINGS = 4  # of one English word by pieces

LETTERS_OR_CHARACTER = re.compile(r"[a-zA-Z']+|\S")  # what a Paraformer writes by itself


class PieceSpeller:
    """Spells words for a Paraformer, whose vocabulary has characters and `@@` pieces.

    A word of letters is written as `segmentation` says, by the fewest pieces that make it, or
    letter by letter as an abbreviation is. What the vocabulary has in lower case only is written
    so.

    Args:
        pieces: the vocabulary, id to piece.
        segmentation: lower-case words to their pieces, where the model has such a list.
    """

    def __init__(
        self, pieces: Sequence[str], segmentation: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._ids = {piece: number for number, piece in enumerate(pieces)}
        self._segmentation = segmentation or {}
        stems = (piece.removesuffix(CONTINUES) for piece in pieces)
        self._longest = max((len(stem) for stem in stems if stem.isascii()), default=1)
        self.joints = Joints(
            frozenset(n for n, piece in enumerate(pieces) if piece.endswith(CONTINUES)),
            frozenset(range(len(pieces))),
        )

    def __call__(self, word: str) -> list[Ids]:
        """Return the spellings of one hotword.

        Raises:
            ValueError: the vocabulary cannot write it.
        """
        spellings: list[Ids] = [()]
        for part in LETTERS_OR_CHARACTER.findall(word):
            ways = self._letters(part) if len(part) > 1 else self._known([part])
            if not ways:
                raise ValueError(f"hotword {word!r}: the model's vocabulary has no {part!r}")
            spellings = [(*before, *way) for before in spellings for way in ways][:MAX_SPELLINGS]
        if spellings == [()]:
            raise ValueError(f"hotword {word!r}: expected at least one character")
        return spellings

    def _letters(self, part: str) -> list[Ids]:
        """Return the ways in which a word of several letters is written."""
        own = self._segmentation.get(part.lower())
        ways = self._known(own) if own else self._by_fewest_pieces(part)
        return [*dict.fromkeys([*ways, *self._known(part)])]

    def _known(self, pieces: Sequence[str]) -> list[Ids]:
        ids = []
        for piece in pieces:
            number = self._ids.get(piece, self._ids.get(piece.lower()))
            if number is None:
                return []
            ids.append(number)
        return [tuple(ids)]

    def _by_fewest_pieces(self, part: str) -> list[Ids]:
        """Return a word as pieces that continue and a last one that does not, fewest first."""
        text = part.lower()
        ways: list[list[Ids]] = [[()], *([] for _ in text)]
        for end in range(1, len(text) + 1):
            ending = "" if end == len(text) else CONTINUES
            for start in range(max(0, end - self._longest), end):
                number = self._ids.get(text[start:end] + ending)
                if number is not None:
                    ways[end] += [(*before, number) for before in ways[start]]
            ways[end] = sorted(ways[end], key=len)[:MAX_SPELLINGS]
        return ways[-1]


class SentencePieceSpeller:
    """Spells words by a SentencePiece model.

    A word stands at the start of a text, behind a space or, in Chinese and Japanese, behind other
    characters; English may be written in capitals. Each way has pieces of its own.

    Args:
        tokenizer: `sentencepiece.SentencePieceProcessor`.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._unknown = tokenizer.unk_id()
        self._mark = tokenizer.piece_to_id(SPACE_MARK)
        pieces = [(n, tokenizer.id_to_piece(n)) for n in range(tokenizer.get_piece_size())]
        self.joints = Joints(
            frozenset(n for n, piece in pieces if _is_alphanumeric(piece[-1:])),
            frozenset(n for n, piece in pieces if _is_alphanumeric(piece[:1])),
        )

    def __call__(self, word: str) -> list[Ids]:
        """Return the spellings of one hotword.

        Raises:
            ValueError: the vocabulary cannot write it.
        """
        spellings: dict[Ids, None] = {}
        for form in dict.fromkeys((word, word.lower(), word.capitalize(), word.upper())):
            ids = tuple(self._tokenizer.encode(form))
            without = self._without_mark(ids)
            single = tuple(self._tokenizer.piece_to_id([c for c in form if not c.isspace()]))
            for way in (ids, without, () if form.isascii() else single):
                if way and self._unknown not in way:
                    spellings[way] = None
        if not spellings:
            raise ValueError(f"hotword {word!r}: the model's vocabulary cannot write it")
        return [*spellings]

    def _without_mark(self, ids: Ids) -> Ids:
        """Return a spelling as it stands behind other characters, () where it cannot."""
        if ids[:1] == (self._mark,):
            return ids[1:]
        first = self._tokenizer.id_to_piece(ids[0]) if ids else ""
        if not first.startswith(SPACE_MARK) or first[1:].isascii():
            return ()
        return (self._tokenizer.piece_to_id(first[1:]), *ids[1:])


def _is_alphanumeric(character: str) -> bool:
    """Return whether words of such characters are told apart by spaces; Korean adds endings."""
    return character.isascii() and character.isalnum()
