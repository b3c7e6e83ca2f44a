"""The text of a stream: what is settled, and what later tokens may still change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asr_core.text import CONTINUES, DecodedWord, is_letter, join_pieces, join_words


class StreamingText:
    """Collects pieces; text that was given out once never changes.

    An open `@@` piece continues in the next token, and single letters may become an abbreviation,
    so these are held back until what follows settles them.
    """

    def __init__(self) -> None:
        self.settled = ""
        self._open: list[DecodedWord] = []
        self._tentative: list[DecodedWord] = []

    @property
    def text(self) -> str:
        """The whole text so far, with what is held back."""
        held_back = join_pieces([*self._open, *self._tentative])
        return self.settled + join_words(held_back, self.settled[-1:])

    def accept(
        self,
        pieces: Iterable[DecodedWord],
        is_final: bool,
        tentative: Sequence[DecodedWord] = (),
    ) -> tuple[str, list[DecodedWord]]:
        """Add pieces.

        Args:
            pieces: the next tokens.
            is_final: none follow, all is settled.
            tentative: what follows as far as is known; replaced by the next call's.

        Returns:
            the text that became settled, which continues what was given out before, and its words.
        """
        self._open.extend(pieces)
        self._tentative = [*tentative]
        count = len(self._open)
        while not is_final and count and is_unsettled(self._open[count - 1].text):
            count -= 1
        words = join_pieces(self._open[:count])
        del self._open[:count]
        text = join_words(words, self.settled[-1:])
        self.settled += text
        return text, words


def is_unsettled(piece: str) -> bool:
    """Return whether the next piece may change how this one is written."""
    return piece.endswith(CONTINUES) or is_letter(piece)
