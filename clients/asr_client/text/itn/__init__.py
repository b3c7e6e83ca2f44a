"""Inverse text normalisation: spoken numbers become figures, in Chinese and English.

    三月二十一号花了十二块五 → 3月21号…   百分之三十 → 30%   twenty five dollars → $25

A rewrite is taken only where it can be shown right: what is written is read back and must give the
words that were spoken. In doubt the words stay, and all of them: numbers below ten (三个苹果,
two of them), vague ones (几十, 三四百, 二十多), idioms, what may mean two things (三点五个人,
ten thirty).
Everything else of the text stays as it is, character for character.

    find_numbers ─ chinese: rules propose, readings prove, neighbours decide
                 └ english: the same

Chinese dates, times and amounts keep their marks and the order in which they were spoken:
2026年11月21日, 下午2:30, 3000元. English ordinals below ten stay words ("first of all", "in a
second"), as cardinals do.

The rules are our own: those that come with finite-state toolkits write a number where there is
none, or another, and give no way to tell. It costs some microseconds a character, in the client,
where the punctuated text is put together.
"""

from __future__ import annotations

import re

from ...errors import OptionError
from .chinese import find_chinese
from .english import find_english
from .replacement import Replacement

LANGUAGES = ("auto", "zh", "yue", "en", "ja", "ko")

_KANA = re.compile(r"[\u3040-\u30ff]")
_DECIMAL = re.compile(r"\d+\.\d")

__all__ = ["LANGUAGES", "Replacement", "find_numbers", "normalize_numbers"]


def normalize_numbers(text: str, language: str = "auto") -> str:
    """Return the text with its numbers as figures.

    Args:
        text: spoken text, with or without punctuation.
        language: "zh", "yue" or "auto" write Chinese and English numbers, "en" English ones
            only. "ja" and "ko" return the text as it is; so does "auto" for Chinese characters
            in a text with kana.

    Raises:
        OptionError: another language.
    """
    pieces: list[str] = []
    position = 0
    for replacement in find_numbers(text, language):
        pieces += [text[position : replacement.start], replacement.written]
        position = replacement.end
    return "".join([*pieces, text[position:]])


def find_numbers(text: str, language: str = "auto") -> list[Replacement]:
    """Return what `normalize_numbers` puts in the place of what, in order."""
    if language not in LANGUAGES:
        raise OptionError(f"language: expected one of {', '.join(LANGUAGES)}; got {language!r}")
    if language in ("ja", "ko"):
        return []
    found: list[Replacement] = []
    if language != "en" and not (language == "auto" and _KANA.search(text)):
        found += find_chinese(text)
        if language == "yue":  # 三點九 is a quarter to four as well
            found = [number for number in found if not _DECIMAL.fullmatch(number.written)]
    found += find_english(text)
    kept: list[Replacement] = []
    for number in sorted(found, key=lambda number: number.start):
        before = _before(text, number.start, kept[-1] if kept else None)
        after = text[number.end : number.end + 1]
        runs_on = number.written[:1].isdigit() and before.isdigit()
        if not runs_on and not (number.written[-1:].isdigit() and after.isdigit()):
            kept.append(number)
    return kept


def _before(text: str, start: int, last: Replacement | None) -> str:
    """Return the character that will stand before `start`."""
    if last is not None and last.end == start:
        return last.written[-1:]
    return text[start - 1 : start] if start else ""
