"""Tokens to words to text, for Chinese mixed with English.

Rules as in FunASR's `sentence_postprocess`: a Chinese character is a word of its own; a piece that
ends with `@@` continues in the next; single English letters in a row are an abbreviation, written
together in capitals; English words are separated by spaces, Chinese is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

CONTINUES = "@@"


@dataclass(frozen=True)
class DecodedWord:
    """A piece of text with its time and confidence.

    Attributes:
        text: the characters.
        start_ms, end_ms: its time in the audio, -1 where the model gives none.
        log_prob: mean log-probability of its tokens.
        num_tokens: how many tokens made it.
    """

    text: str
    start_ms: int = -1
    end_ms: int = -1
    log_prob: float = 0.0
    num_tokens: int = 1

    @property
    def confidence(self) -> float:
        """Probability of the word's tokens (geometric mean), 0 to 1."""
        return math.exp(self.log_prob)


def merge_words(parts: Sequence[DecodedWord], text: str) -> DecodedWord:
    """Make one word of several neighbours, under a given spelling."""
    count = sum(part.num_tokens for part in parts)
    return DecodedWord(
        text=text,
        start_ms=parts[0].start_ms,
        end_ms=parts[-1].end_ms,
        log_prob=sum(part.log_prob * part.num_tokens for part in parts) / count,
        num_tokens=count,
    )


def is_spaced(text: str) -> bool:
    """Return whether spaces separate a word from its like: letters, but not Chinese or digits."""
    return text.replace("'", "").isalpha() and not any(
        "\u4e00" <= char <= "\u9fff" for char in text
    )


def is_letter(text: str) -> bool:
    """Return whether a word is a single English letter, which may belong to an abbreviation."""
    return len(text) == 1 and text.isascii() and text.isalpha()


def join_pieces(pieces: Iterable[DecodedWord]) -> list[DecodedWord]:
    """Join `@@` pieces into words, and rows of single letters into abbreviations."""
    words: list[DecodedWord] = []
    pending: list[DecodedWord] = []

    def flush() -> None:
        if pending:
            words.append(merge_words(pending, "".join(part.text for part in pending)))
            pending.clear()

    for piece in pieces:
        continues = piece.text.endswith(CONTINUES)
        piece = replace(piece, text=piece.text.removesuffix(CONTINUES))
        if not is_spaced(piece.text):
            flush()
        pending.append(piece)
        if not continues:
            flush()
    flush()
    return _join_letters(words)


def _join_letters(words: Sequence[DecodedWord]) -> list[DecodedWord]:
    joined: list[DecodedWord] = []
    letters: list[DecodedWord] = []

    def flush() -> None:
        if len(letters) > 1:
            joined.append(merge_words(letters, "".join(part.text for part in letters).upper()))
        else:
            joined.extend(letters)
        letters.clear()

    for word in words:
        if is_letter(word.text):
            letters.append(word)
        else:
            flush()
            joined.append(word)
    flush()
    return joined


def join_words(words: Sequence[DecodedWord], before: str = "") -> str:
    """Write words as text: a space only between two that are spaced.

    Args:
        words: what to write.
        before: the last character of the text they continue, if any.
    """
    text = ""
    for word in words:
        last = text[-1:] or before
        if last and is_spaced(word.text) and is_spaced(last):
            text += " "
        text += word.text
    return text
