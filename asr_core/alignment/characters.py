"""How many tokens a word is to `fa-zh`: FunASR's characters, with its table of English pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WRITTEN_BY_CHARACTERS = re.compile(r"[一-龥A-Za-z0-9]")  # what FunASR takes apart


class CharacterCounter:
    """Counts tokens; which they are does not matter to an aligner.

    Without a table every character is a token, letters included. With one, a word of it is its
    pieces, another word its characters, and what is neither Chinese nor of letters or digits is one
    token.

    Args:
        segmentation: lower-case words to their pieces (`seg_dict`); empty without a table.

    Source: FunASR `funasr/tokenizer/char_tokenizer.py`.
    """

    def __init__(self, segmentation: Mapping[str, Sequence[str]]) -> None:
        self._segmentation = segmentation

    def __call__(self, word: str) -> int:
        """Return the number of a word's tokens."""
        characters = "".join(word.split())
        if not self._segmentation:
            return len(characters)
        known = self._segmentation
        if pieces := known.get(characters.lower()):
            return len(pieces)
        if not _WRITTEN_BY_CHARACTERS.match(characters):
            return min(len(characters), 1)
        return sum(len(known.get(char, " ")) for char in characters.lower())
