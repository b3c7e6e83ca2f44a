"""Hotwords: words that the recogniser is told to expect, as they are sent to the server."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .errors import OptionError

HOTWORDS_PARAMETER = "hotwords"  # of a request

Hotwords: TypeAlias = str | Sequence[str] | Mapping[str, float] | None


def encode_hotwords(hotwords: Hotwords) -> str:
    """Return hotwords as the text that the server reads; "" for none.

    Args:
        hotwords: words, words with weights, or text in one of the forms that FunASR's clients send
            (`阿里巴巴 20` a line, words with spaces between them, a JSON object).

    Raises:
        OptionError: it is something else.
    """
    if hotwords is None:
        return ""
    if isinstance(hotwords, str):
        return hotwords.strip()
    if isinstance(hotwords, Mapping):
        weights = hotwords.values()
        if not all(isinstance(w, (int, float)) and math.isfinite(w) for w in weights):
            raise OptionError(f"hotwords: expected numbers as weights; got {list(weights)}")
    elif not isinstance(hotwords, Sequence):
        raise OptionError(
            "hotwords: expected text, a list of words or a mapping from words to weights; "
            f"got {type(hotwords).__name__}"
        )
    if not all(isinstance(word, str) for word in hotwords):
        raise OptionError(f"hotwords: expected words; got {list(hotwords)}")
    entries = dict(hotwords) if isinstance(hotwords, Mapping) else list(hotwords)
    return json.dumps(entries, ensure_ascii=False) if entries else ""
