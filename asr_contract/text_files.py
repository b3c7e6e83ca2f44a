"""Text files that people write: lists of words, keys, transcripts, recordings.

Editors on Windows put a byte order mark before the text and end lines with CR LF; their "Unicode"
is UTF-16. None of that belongs to the first word, nor to the last of a line.
"""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path
from typing import Any

from .bounded_json import parse_json

BYTE_ORDER_MARK = "\ufeff"

_MAX_BYTES = 64 << 20  # the largest list of tokens has 1 MB

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: str | os.PathLike[str]) -> str:
    r"""Return the text of a file, without a byte order mark and with lines that end in "\n".

    Raises:
        OSError: it cannot be read.
        ValueError: it is neither UTF-8 nor UTF-16 with its mark, or too large for what it is.
    """
    size = Path(path).stat().st_size
    if size > _MAX_BYTES:
        raise ValueError(f"{path}: expected text of at most {_MAX_BYTES} bytes, got {size}")
    data = Path(path).read_bytes()
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected UTF-8 text; byte {error.start} is not ({error.reason})"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path | str) -> Any:
    """Return what a file of JSON holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, or no text as `read_text` reads it.
    """
    text = read_text(path)
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: expected JSON; line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
