"""Words of several rows as the arrays that a response carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract.tensors import CONFIDENCE, TIMESTAMPS, TOKENS
from asr_core.text.words import DecodedWord


@dataclass(frozen=True)
class WordTensors:
    """Words of R rows, padded to the longest of n words.

    Attributes:
        tokens: object [R, n] of str, '' beyond a row's own words.
        timestamps: int32 [R, n, 2], start and end in ms, -1 beyond and where there are none.
        confidence: float32 [R, n], 0 beyond.
    """

    tokens: NDArray[np.object_]
    timestamps: NDArray[np.int32]
    confidence: NDArray[np.float32]

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Return the outputs TOKENS, TIMESTAMPS and CONFIDENCE."""
        return {
            TOKENS: self.tokens,
            TIMESTAMPS: self.timestamps,
            CONFIDENCE: self.confidence,
        }


def pack_words(rows: Sequence[Sequence[DecodedWord]]) -> WordTensors:
    """Lay out the words of each row."""
    width = max(map(len, rows), default=0)
    tokens = np.full((len(rows), width), "", np.object_)
    timestamps = np.full((len(rows), width, 2), -1, np.int32)
    confidence = np.zeros((len(rows), width), np.float32)
    for index, words in enumerate(rows):
        if words:
            tokens[index, : len(words)] = [word.text for word in words]
            timestamps[index, : len(words)] = [(word.start_ms, word.end_ms) for word in words]
            confidence[index, : len(words)] = [word.confidence for word in words]
    return WordTensors(tokens, timestamps, confidence)
