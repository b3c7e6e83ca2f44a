"""Hotwords as callers give them to the SDK, and as they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from asr_contract import Hotword, write_hotwords

from .errors import OptionError

Hotwords: TypeAlias = str | Sequence[str] | Mapping[str, float] | None


def encode_hotwords(hotwords: Hotwords) -> str:
    """Return hotwords as the text that the server reads; "" for none.

    Args:
        hotwords: words, words with weights, or text in one of the forms of
            `asr_contract.hotwords`, which the server reads.

    Raises:
        OptionError: it is something else.
    """
    if hotwords is None:
        return ""
    if isinstance(hotwords, str):
        return hotwords.strip()
    if not isinstance(hotwords, (Mapping, Sequence)):
        raise OptionError(
            "hotwords: expected text, a list of words or a mapping from words to weights; "
            f"got {type(hotwords).__name__}"
        )
    if not all(isinstance(word, str) for word in hotwords):
        raise OptionError(f"hotwords: expected words; got {list(hotwords)}")
    weights = hotwords if isinstance(hotwords, Mapping) else dict.fromkeys(hotwords)
    try:
        return write_hotwords(Hotword(word, weight) for word, weight in weights.items())
    except ValueError as error:
        raise OptionError(str(error)) from None
