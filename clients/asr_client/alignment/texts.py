"""A text's words and sentences, as alignment takes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import OptionError
from ..files.sentences import split_sentences
from ..text.alignment import Unit, text_units

_LINE = re.compile(r"[^\r\n\ufeff]+")  # the mark of order that editors put before a text, too


@dataclass(frozen=True)
class TextSentence:
    """A sentence of a text, and its words with their places in the whole text."""

    text: str
    words: list[Unit]


def text_sentences(text: str) -> list[TextSentence]:
    """Return the sentences of a text that have a word; a line's end ends a sentence, too.

    Raises:
        OptionError: there is no word in it.
    """
    sentences: list[TextSentence] = []
    for line in _LINE.finditer(text):
        units = [
            Unit(unit.text, unit.start + line.start(), unit.end + line.start())
            for unit in text_units(line[0])
        ]
        parts = split_sentences(line[0])
        counts = [len(text_units(part)) for part in parts[:-1]]
        for part, count in zip(parts, [*counts, len(units)], strict=False):
            if own := units[:count]:
                sentences.append(TextSentence(part, own))
            units = units[count:]
    if not sentences:
        raise OptionError(f"text: expected at least one word; got {text[:40]!r}")
    return sentences
