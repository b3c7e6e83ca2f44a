"""Requests of the alignment model: checked, answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import LEVEL_MS
from asr_contract.tensors import (
    CANDIDATE_IDS,
    CANDIDATE_SCORES,
    CONFIDENCE,
    LEVELS,
    TIMESTAMPS,
    WORDS,
)
from asr_core.alignment.aligner import CtcAligner, Frames
from asr_core.features import LFR_FRAME_MS


class AlignmentService:
    """Aligns one text with one recording a request.

    Args:
        aligner: of the recogniser.
        max_audio_s: seconds of a recording.
        max_words: of a text.
    """

    def __init__(self, aligner: CtcAligner, max_audio_s: int, max_words: int) -> None:
        self._aligner = aligner
        self._max_audio_s = max_audio_s
        self._max_words = max_words

    def answer(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer a request.

        Args:
            inputs: WORDS object [W] of bytes, CANDIDATE_IDS int32 [T, K] and CANDIDATE_SCORES
                float32 [T, K], the best first, LEVELS float32 [L] in dB.

        Returns:
            TIMESTAMPS int32 [W, 2] and CONFIDENCE float32 [W].

        Raises:
            ValueError: an input is not what it should be.
        """
        words = [decoded(word) for word in inputs[WORDS]]
        ids, scores, levels = (inputs[name] for name in (CANDIDATE_IDS, CANDIDATE_SCORES, LEVELS))
        if ids.shape != scores.shape:
            raise ValueError(
                f"{CANDIDATE_SCORES}: expected the shape of {CANDIDATE_IDS}, {list(ids.shape)}; "
                f"got {list(scores.shape)}"
            )
        if not ids.shape[1]:
            raise ValueError(f"{CANDIDATE_IDS}: expected at least one candidate a frame; got none")
        if len(ids) * LFR_FRAME_MS > self._max_audio_s * 1000:
            raise ValueError(
                f"{CANDIDATE_IDS}: expected frames of at most {self._max_audio_s} s; "
                f"got {len(ids) * LFR_FRAME_MS // 1000} s"
            )
        if len(words) > self._max_words:
            raise ValueError(f"{WORDS}: expected at most {self._max_words}; got {len(words)}")
        if not (np.isfinite(scores).all() and np.isfinite(levels).all()):
            raise ValueError(f"{CANDIDATE_SCORES}, {LEVELS}: expected finite numbers")
        if len(levels) * LEVEL_MS > len(ids) * LFR_FRAME_MS + 1000:
            raise ValueError(
                f"{LEVELS}: expected one for each {LEVEL_MS} ms of {len(ids)} frames of "
                f"{LFR_FRAME_MS} ms; got {len(levels)}"
            )
        aligned = self._aligner(words, Frames(ids, scores), levels)
        return {
            TIMESTAMPS: np.array(
                [(word.start_ms, word.end_ms) for word in aligned], np.int32
            ).reshape(-1, 2),
            CONFIDENCE: np.array([word.confidence for word in aligned], np.float32),
        }


def decoded(word: object) -> str:
    """Return a word of a request.

    Raises:
        ValueError: it is no text.
    """
    if isinstance(word, str):
        return word
    if not isinstance(word, bytes):
        raise ValueError(f"{WORDS}: expected STRING elements; got {type(word).__name__}")
    try:
        return word.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{WORDS}: expected UTF-8; got {word[:40]!r} ({error.reason})") from None
