"""How results are written: text, JSON lines, Kaldi's `text`, subtitles, or a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TextIO

from ..files.sentences import recognised_segment, split_sentences, timed_sentences
from ..results import FileTranscript, Sentence, Transcript
from ..text.subtitles import srt, tsv, vtt
from .input_files import InputFile

FORMATS = ("txt", "json", "srt", "vtt", "tsv", "kaldi")

# Those that are a file for each recording.
_SUBTITLES = {"srt": srt, "vtt": vtt, "tsv": tsv}
FILE_FORMATS = tuple(_SUBTITLES)


def format_sentences(style: str, sentences: Iterable[Sentence]) -> Iterator[str]:
    """Yield the parts of a recording's file as its sentences come.

    Args:
        style: one of `FILE_FORMATS`, or "txt" (a sentence a line).
        sentences: in order.
    """
    if style == "txt":
        return (" ".join(sentence.text.split()) + "\n" for sentence in sentences)
    return _SUBTITLES[style](sentences)


def format_line(
    style: str, source: InputFile, transcript: Transcript | FileTranscript, *, only: bool
) -> str:
    """Return the line (without its end) for one result.

    Args:
        style: "txt" (the text; with the path or id and a tab before it unless `only`), "json"
            (an object with the file, the id and the fields of the result), or "kaldi"
            (`id text`).
        source: what was recognised.
        transcript: its result.
        only: whether it is the only recording of the output.
    """
    if style == "json":
        record = {"file": source.path, "id": source.utterance_id, **transcript.to_dict()}
        return json.dumps(record, ensure_ascii=False)
    text = " ".join(transcript.text.split())  # one line a recording, whatever the text holds
    if style == "kaldi":
        return f"{source.utterance_id} {text}".rstrip()
    return text if only else f"{source.label}\t{text}"


def sentences_of(transcript: Transcript) -> list[Sentence]:
    """Split a recording that was recognised in one piece."""
    spoken = recognised_segment(transcript, 0, round(transcript.duration_s * 1000))
    return [] if spoken is None else timed_sentences(spoken, split_sentences(spoken.text))


class OrderedWriter:
    """Writes results in the order of their index as soon as all before them are settled."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: dict[int, str | None] = {}
        self._next = 0

    def put(self, index: int, text: str | None) -> None:
        """Settle one index with its text, or with None if it has none."""
        self._waiting[index] = text
        while self._next in self._waiting:
            ready = self._waiting.pop(self._next)
            self._next += 1
            if ready is not None:
                self._stream.write(ready)
                self._stream.flush()
