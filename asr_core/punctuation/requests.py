"""The punctuation models' requests: texts in, marked texts out, many in a run of the encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract.tensors import CACHE, MARKS, PUNCTUATIONS, TEXT, WORDS
from asr_core.punctuation.marking import (
    Passage,
    Punctuated,
    PunctuationModel,
    Tagger,
    finish_offline,
    finish_streaming,
    read_context,
    tag_passages,
)
from asr_core.punctuation.marks import split_words

Strings = NDArray[np.object_]
NO_MARK_ID = -1  # pads rows of mark ids


@dataclass(frozen=True)
class PunctuationRequest:
    """Rows of text.

    Attributes:
        texts: bytes [R, 1], UTF-8.
        contexts: bytes [R, C], the words that each row continues, padded with empty ones; None
            offline.
    """

    texts: Strings
    contexts: Strings | None = None


class PunctuationService:
    """Answers the requests of a punctuation model.

    Args:
        streaming: texts are parts of streams, with context.
        max_words: longest text accepted, context included.
        max_batch_size: rows in one run of the encoder.
    """

    def __init__(
        self, model: PunctuationModel, streaming: bool, max_words: int, max_batch_size: int
    ) -> None:
        self._model = model
        self._finish = finish_streaming if streaming else finish_offline
        self._max_words = max_words
        self._max_batch_size = max_batch_size

    def answer(
        self, requests: Sequence[PunctuationRequest], tag: Tagger
    ) -> list[list[Punctuated] | Exception]:
        """Answer requests together.

        Returns:
            For each its rows; a ValueError if it is at fault, or another exception if the encoder
            failed.
        """
        read = [self._read(request) for request in requests]
        good = [rows for rows in read if not isinstance(rows, ValueError)]
        failure: Exception | None = None
        try:
            tag_passages([row for rows in good for row in rows], tag, self._max_batch_size)
        except Exception as error:  # the same for all of the run
            failure = error
        answers: list[list[Punctuated] | Exception] = []
        for rows in read:
            if isinstance(rows, ValueError):
                answers.append(rows)
            elif failure is not None:
                answers.append(failure)
            else:
                answers.append([self._finish(row, self._model.table) for row in rows])
        return answers

    def _read(self, request: PunctuationRequest) -> list[Passage] | ValueError:
        """Split the rows of a request into words, or say what is wrong with them."""
        contexts: Any = request.contexts
        if contexts is None:
            contexts = [()] * len(request.texts)
        try:
            return [
                self._passage(text, context)
                for text, context in zip(request.texts[:, 0], contexts, strict=True)
            ]
        except ValueError as error:  # UnicodeDecodeError is one
            return error

    def _passage(self, text: bytes, context: Sequence[bytes]) -> Passage:
        known = read_context([word.decode() for word in context])
        words = known + split_words(text.decode())
        if len(words) > self._max_words:
            raise ValueError(
                f"TEXT: expected at most {self._max_words} words or characters (the model's "
                f"parameter max_words), got {len(words)}"
            )
        return Passage(self._model, words, len(known))


def pack_punctuated(rows: Sequence[Punctuated]) -> dict[str, NDArray[Any]]:
    """Return the outputs of one request's R rows.

    TEXT is [R, 1]; WORDS and MARKS, PUNCTUATIONS and CACHE are [R, n], padded to the longest row.
    """
    return {
        TEXT: np.array([[row.text] for row in rows], np.object_),
        WORDS: pack_strings([row.words for row in rows]),
        MARKS: pack_strings([row.marks for row in rows]),
        PUNCTUATIONS: pack_mark_ids([row.mark_ids for row in rows]),
        CACHE: pack_strings([row.context for row in rows]),
    }


def pack_strings(rows: Sequence[Sequence[str]]) -> Strings:
    """Put rows of strings into one array [R, n], padded with empty ones."""
    packed = np.full((len(rows), max(map(len, rows), default=0)), "", np.object_)
    for target, row in zip(packed, rows, strict=True):
        target[: len(row)] = row
    return packed


def pack_mark_ids(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Put rows of mark ids into one array int32 [R, n], padded with -1."""
    packed = np.full((len(rows), max(map(len, rows), default=0)), NO_MARK_ID, np.int32)
    for target, row in zip(packed, rows, strict=True):
        target[: len(row)] = row
    return packed
