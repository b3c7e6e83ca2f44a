"""JSON from strangers, whose brackets are counted before they are followed.

The standard parser follows brackets within brackets until the interpreter's stack ends. Whatever
else runs at that depth, such as a destructor of another request's objects, then fails too, without
a message. So the depth is bounded before anything is parsed.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 32
MAX_DIGITS = 4300  # of a whole number: what Python reads by default

# A bracket, or a string with what is in it; the last one may lack its end.
_BRACKET = re.compile(r'[\[\]{}]|"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


def parse_json(text: str | bytes, *, names_once: bool = False) -> Any:
    """Return what a text of JSON says.

    Args:
        text: in UTF-8 where it is bytes.
        names_once: refuse an object with a repeated name; otherwise its last value counts.

    Raises:
        ValueError: it is not JSON, not UTF-8, has more than `MAX_DEPTH` brackets within brackets,
            a number of more than `MAX_DIGITS` digits, or a name twice that may be there once.
    """
    if isinstance(text, bytes):
        text = text.decode()
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    return json.loads(
        text, parse_int=_whole, object_pairs_hook=_with_names_once if names_once else None
    )


def _with_names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"expected each name once; got {twice[:80]!r} twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"expected numbers of at most {MAX_DIGITS} digits; got more")
    return int(digits)


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKET.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"expected at most {MAX_DEPTH} brackets within brackets; got more")
        elif first in "]}":
            depth -= 1
