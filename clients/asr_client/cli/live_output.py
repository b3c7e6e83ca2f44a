"""How text that is still growing is shown: redrawn in place on a terminal, or as JSON lines."""

from __future__ import annotations

import os
import threading
import unicodedata
from typing import TextIO

from ..results import StreamUpdate, Transcript
from ..text import json_line
from .names import printable
from .output import Output

_CLEAR_TO_END = "\x1b[K"


class LiveLine:
    """One line of a terminal, redrawn in place; nothing where there is no terminal."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._is_terminal = terminal.isatty()

    def draw(self, text: str, prefix: str = "") -> None:
        """Replace the line by `prefix` and as much of the end of `text` as fits behind it."""
        if self._is_terminal:
            room = self._columns() - 1 - _width(prefix)
            self._terminal.write("\r" + prefix + end_that_fits(text, room) + _CLEAR_TO_END)
            self._terminal.flush()

    def clear(self) -> None:
        """Empty the line, for what is to be printed next."""
        if self._is_terminal:
            self._terminal.write("\r" + _CLEAR_TO_END)
            self._terminal.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._terminal.fileno()).columns or 80
        except OSError:
            return 80


def end_that_fits(text: str, columns: int) -> str:
    """Return the end of a text that a terminal shows in so many columns."""
    text = " ".join(text.split())
    for first in range(len(text), -1, -1):
        if _width(text[first:]) > columns:
            return text[first + 1 :]
    return text


def _width(text: str) -> int:
    """Return the columns that a terminal takes for a text: two for a Chinese character."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


class LiveOutput:
    """Writes the results of streams, and what is known of them meanwhile.

    Args:
        style: "txt" (the final text) or "json" (an object for each change, and the transcript).
        out: where results go.
        labelled: whether the text is written with the recording's name before it.
    """

    def __init__(self, style: str, out: Output, *, labelled: bool) -> None:
        self._style = style
        self._out = out
        self._labelled = labelled
        self._lock = threading.Lock()

    def update(self, label: str, update: StreamUpdate) -> None:
        """Write a change of the text; the last one is the transcript's to tell."""
        if self._style == "json" and not update.is_final:
            self._write_json(label, update.to_dict())

    def result(self, label: str, transcript: Transcript) -> None:
        """Write the transcript."""
        if self._style == "json":
            self._write_json(label, {**transcript.to_dict(), "is_final": True})
        else:
            self.text(label, transcript.text)

    def text(self, label: str, text: str) -> None:
        """Write a line of text."""
        line = " ".join(text.split())
        self._write(f"{printable(label)}\t{line}" if self._labelled else line)

    def _write_json(self, label: str, record: dict[str, object]) -> None:
        self._write(json_line({"file": label, **record}))

    def _write(self, line: str) -> None:
        with self._lock:
            self._out.write(line + "\n")
            self._out.keep()
