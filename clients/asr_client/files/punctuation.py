"""Requests to the model `punctuation`, and where its sentences end.

TEXT STRING [1, 1] is answered by TEXT STRING [1, 1] with marks, WORDS STRING [1, n], as they are
written, and MARKS STRING [1, n], "" where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import PUNCTUATION_MODEL
from asr_contract.tensors import MARKS, TEXT, WORDS

from ..errors import ProtocolError
from ..protocol import InferRequest, text_column

SENTENCE_MARKS = frozenset("。？！.?!")
_OWN_ENDS = frozenset("。？！")  # that a text brought; a point may be one of 3.5


@dataclass(frozen=True)
class PunctuatedSentence:
    """A sentence with its marks, and how much of the text without marks it was made from.

    `letters` counts characters other than spaces: marks and capitals do not change their number.
    """

    text: str
    letters: int


def punctuation_request(text: str) -> InferRequest:
    """Ask for the marks of a text."""
    return InferRequest(PUNCTUATION_MODEL, {TEXT: np.array([[text.encode()]], np.object_)})


def parse_punctuation(text: str, outputs: Mapping[str, NDArray[Any]]) -> list[PunctuatedSentence]:
    """Return the sentences of the answer for `text`; the last may be one by force only.

    Raises:
        ProtocolError: the answer is not the text with marks.
    """
    texts = text_column(outputs, TEXT, 1)
    words, marks = _strings(outputs, WORDS), _strings(outputs, MARKS)
    if texts is None or words is None or marks is None or len(words) != len(marks):
        raise ProtocolError(
            f"model {PUNCTUATION_MODEL!r}: expected TEXT, WORDS and MARKS; got "
            f"{', '.join(sorted(outputs))}"
        )
    written = texts[0]
    sentences: list[PunctuatedSentence] = []
    start = position = letters = 0
    for index, (word, mark) in enumerate(zip(words, marks, strict=True)):
        while written[position : position + 1].isspace():
            position += 1
        if not written.startswith(word + mark, position):
            raise ProtocolError(
                f"model {PUNCTUATION_MODEL!r}: expected {word + mark!r} in TEXT; "
                f"got {written[position : position + 20]!r}"
            )
        position += len(word) + len(mark)
        letters += len(word)
        own_end = not mark and word[-1:] in _OWN_ENDS
        if mark in SENTENCE_MARKS or own_end or index == len(words) - 1:
            sentences.append(PunctuatedSentence(written[start:position].strip(), letters))
            start, letters = position, 0
    spoken = sum(not character.isspace() for character in text)
    if sum(sentence.letters for sentence in sentences) != spoken:
        raise ProtocolError(
            f"model {PUNCTUATION_MODEL!r}: expected WORDS of {spoken} characters, those of the "
            f"text; got {sum(sentence.letters for sentence in sentences)}"
        )
    return sentences


def _strings(outputs: Mapping[str, NDArray[Any]], name: str) -> list[str] | None:
    """Return the one row of a STRING output."""
    column = outputs.get(name)
    if column is None or column.ndim != 2 or len(column) != 1:
        return None
    return [value.decode() if isinstance(value, bytes) else str(value) for value in column[0]]
