"""Hotwords: words that a recogniser is told to expect, and the text in which they are sent.

The text is that of FunASR's clients and files, in any of three forms:

    阿里巴巴 20, 达摩院    words separated by spaces, commas, semicolons or lines; a number behind a
                       word in its line is the word's weight
    ["阿里巴巴", …]       JSON, which can hold a word that is a number and one with spaces
    {"阿里巴巴": 20, …}   the same with weights; null for none

A weight is a bonus in the recognisers' search, on the scale of FunASR's decoder. What a model with
neural hotwords makes of them besides knows no weights.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .bounded_json import parse_json
from .tensors import HOTWORDS_PARAMETER
from .text_files import BYTE_ORDER_MARK

MAX_CHARACTERS = 500_000
"""Of a text of hotwords; a second of work, which on a gateway's event loop all others wait for."""

_SEPARATORS = re.compile(r"[\s,，、;；]+")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_FORMS = (
    "words separated by spaces, commas or lines, each perhaps followed by its weight; "
    'a JSON list ["word", ...]; or a JSON object {"word": weight, ...}'
)


@dataclass(frozen=True)
class Hotword:
    """A word or short phrase.

    Attributes:
        text: as written, without spaces around it.
        weight: a finite number; None where none was given.
    """

    text: str
    weight: float | None = None


def parse_hotwords(text: str) -> list[Hotword]:
    """Read hotwords in any form; of a word that is given twice the last weight counts.

    Raises:
        ValueError: it is neither plain text nor one of the JSON forms, or has more than
            `MAX_CHARACTERS`.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"hotwords: expected at most {MAX_CHARACTERS} characters; got {len(text)}")
    text = text.lstrip(BYTE_ORDER_MARK)
    words = _parse_json(text) if text.lstrip()[:1] in ("{", "[") else _parse_plain(text)
    return list({word.text: word for word in words}.values())


def write_hotwords(words: Iterable[Hotword]) -> str:
    """Return the text that `parse_hotwords` reads as these words; "" for none.

    Raises:
        ValueError: a weight is no finite number.
    """
    weights = {word.text: _checked_weight(word.text, word.weight) for word in words}
    if not weights:
        return ""
    has_weights = any(weight is not None for weight in weights.values())
    return json.dumps(weights if has_weights else list(weights), ensure_ascii=False)


def join_hotwords(*texts: str) -> str:
    """Join hotwords in any form to one text, weights included; as one list for duplicates.

    Raises:
        ValueError: one of them cannot be read.
    """
    return write_hotwords(word for text in texts for word in parse_hotwords(text))


def requested_hotwords(parameters: str) -> str:
    """Return the hotwords of a request, "" where it names none.

    Args:
        parameters: the request's, a JSON object.

    Raises:
        ValueError: they are not text.
    """
    return checked_hotwords(json.loads(parameters or "{}"))


def checked_hotwords(parameters: Mapping[str, Any]) -> str:
    """Return the hotwords among a request's parameters, "" where it names none.

    Raises:
        ValueError: they are not text.
    """
    value = parameters.get(HOTWORDS_PARAMETER, "")
    if not isinstance(value, str):
        raise ValueError(f"hotwords: expected text, got {type(value).__name__}")
    return value


def _parse_plain(text: str) -> list[Hotword]:
    words: list[Hotword] = []
    for line in text.splitlines():
        can_weigh = False  # a number would be the weight of the word before it
        for field in filter(None, _SEPARATORS.split(line)):
            if can_weigh and _NUMBER.fullmatch(field):
                word = words[-1].text
                words[-1] = Hotword(word, _checked_weight(word, float(field)))
                can_weigh = False
            else:
                words.append(Hotword(field))
                can_weigh = True
    return words


def _parse_json(text: str) -> list[Hotword]:
    try:
        value: Any = parse_json(text)
    except ValueError as error:
        raise ValueError(f"hotwords: expected {_FORMS}; got broken JSON ({error})") from None
    entries = value.items() if isinstance(value, dict) else [(word, None) for word in value]
    words = []
    for word, weight in entries:
        if not isinstance(word, str):
            raise ValueError(f"hotwords: expected {_FORMS}; got the word {repr(word)[:80]}")
        # A client may have read its list with a mark before the first word.
        word = word.strip().lstrip(BYTE_ORDER_MARK)
        if word:
            words.append(Hotword(word, _checked_weight(word, weight)))
    return words


def _checked_weight(word: str, weight: Any) -> float | None:
    """Return a weight; None for None.

    Raises:
        ValueError: it is no finite number.
    """
    if weight is None:
        return None
    if not isinstance(weight, bool) and isinstance(weight, (int, float)):
        try:
            if math.isfinite(number := float(weight)):
                return number
        except OverflowError:  # an integer beyond what a float holds
            pass
    shown = json.dumps(weight, ensure_ascii=False, default=repr)
    raise ValueError(f"hotwords: expected a number as the weight of {word!r}, got {shown}")
