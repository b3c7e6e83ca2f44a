"""Scripts that are written without spaces, in which every character is a word of its own."""

from __future__ import annotations

import re

# Chinese and Japanese, for a regular expression's character class. Hangul has spaces.
UNSPACED = (
    r"〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\u31f0-\u31ff\U00020000-\U000323af"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")


def are_spaced(before: str, after: str) -> bool:
    """Return whether a space separates two words: not where one is a Chinese character."""
    return not (_UNSPACED.match(before[-1:]) or _UNSPACED.match(after[:1]))
