"""How probable words are, as OpenAI's APIs say it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from asr_client import Word

_LEAST_CONFIDENCE = 1e-10  # JSON has no -inf


def logprob(confidence: float | None) -> float:
    """Return a probability's natural logarithm; 0, which is certain, where the model gives none."""
    return 0.0 if confidence is None else math.log(max(confidence, _LEAST_CONFIDENCE))


def word_logprobs(words: Iterable[Word]) -> list[dict[str, Any]]:
    """Return an object for each word, as `logprobs` of an answer or an event holds them."""
    return [
        {
            "token": word.text,
            "logprob": logprob(word.confidence),
            "bytes": list(word.text.encode()),
        }
        for word in words
    ]
