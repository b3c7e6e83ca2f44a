"""How results are written: text, JSON lines, or Kaldi's `text`."""

from __future__ import annotations

import json
from typing import TextIO

from ..results import Transcript
from .utterances import Utterance

FORMATS = ("text", "json", "kaldi")


def format_line(style: str, utterance: Utterance, transcript: Transcript, *, only: bool) -> str:
    """Return the line (without its end) for one result.

    Args:
        style: "text" (the text; with the path or id and a tab before it unless `only`), "json"
            (an object with the file, the id and the fields of `Transcript`), or "kaldi"
            (`id text`).
        only: whether it is the only recording of the run.
    """
    if style == "json":
        record = {"file": utterance.path, "id": utterance.utterance_id, **transcript.to_dict()}
        return json.dumps(record, ensure_ascii=False)
    text = " ".join(transcript.text.split())  # one line a recording, whatever the text holds
    if style == "kaldi":
        return f"{utterance.utterance_id} {text}".rstrip()
    return text if only else f"{utterance.label}\t{text}"


class OrderedWriter:
    """Writes lines in the order of their index as soon as all before them are settled."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: dict[int, str | None] = {}
        self._next = 0

    def put(self, index: int, line: str | None) -> None:
        """Settle one index with its line, or with None if it has none."""
        self._waiting[index] = line
        while self._next in self._waiting:
            ready = self._waiting.pop(self._next)
            self._next += 1
            if ready is not None:
                self._stream.write(ready + "\n")
                self._stream.flush()
