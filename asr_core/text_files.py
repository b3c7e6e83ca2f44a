"""Text files that people write and programs of other systems save."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_text(path: Path) -> str:
    """Read a file of UTF-8, with or without a byte order mark, with any line ends.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, got {error}") from error


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not JSON, or not UTF-8.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: expected JSON, got {error}") from error
