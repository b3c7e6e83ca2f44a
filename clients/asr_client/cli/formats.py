"""How results are written: text, JSON lines, Kaldi's `text`, subtitles, or a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..files.sentences import join_texts
from ..results import FileTranscript, Sentence, SpeakerTurn
from ..text import json_line, spoken_line, srt, tsv, vtt
from .input_files import STDIN, InputFile
from .output import Output

FORMATS = ("txt", "json", "srt", "vtt", "tsv", "kaldi", "rttm")

# Of the JSON objects, which docs/transcript.schema.json describes: raised when a field goes or
# changes its meaning, not when one is added.
SCHEMA_VERSION = 1

# Those that are a file for each recording.
_SUBTITLES = {"srt": srt, "vtt": vtt, "tsv": tsv}
FILE_FORMATS = tuple(_SUBTITLES)

_RTTM_ESCAPED = re.compile(r"[\s%_<]")


def format_sentences(style: str, sentences: Iterable[Sentence]) -> Iterator[str]:
    """Yield the parts of a recording's file as its sentences come.

    Args:
        style: one of `FILE_FORMATS`, or "txt" (a sentence a line).
        sentences: in order.
    """
    if style == "txt":
        return (spoken_line(sentence) + "\n" for sentence in sentences)
    return _SUBTITLES[style](sentences)


def format_line(
    style: str, source: InputFile, model: str, transcript: FileTranscript, *, only: bool
) -> str:
    """Return the line (without its end) for one result.

    Args:
        style: "txt" (the text; with the path or id and a tab before it unless `only`), "json"
            (an object), "kaldi" (`id text`), or "rttm" (a line for each turn of a speaker).
        source: what was recognised.
        model: name of the model that did.
        transcript: its result.
        only: whether it is the only recording of the output.
    """
    if style == "json":
        name = STDIN if source.label == STDIN else source.path
        origin = {"schema_version": SCHEMA_VERSION, "file": name, "id": source.utterance_id}
        return json_line({**origin, "model": model, **transcript.to_dict()})
    if style == "rttm":
        return "\n".join(rttm_lines(source.utterance_id, transcript.summary.turns))
    channels = sorted({each.channel for each in transcript.sentences if each.channel is not None})
    if style == "kaldi":
        if channels:  # a line for each, as Kaldi names the sides of a call
            return "\n".join(
                f"{source.utterance_id}-{channel} {_text_of(transcript, channel)}"
                for channel in channels
            )
        return f"{source.utterance_id} {_one_line(transcript.text)}".rstrip()
    named = channels or any(each.speaker is not None for each in transcript.sentences)
    text = " ".join(map(spoken_line, transcript.sentences)) if named else transcript.text
    return _one_line(text) if only else f"{source.label}\t{_one_line(text)}"


def rttm_lines(recording: str, turns: Iterable[SpeakerTurn]) -> list[str]:
    """Return the turns of a recording as NIST's RTTM has them: start and length in seconds.

    A name is one field, and other names are other fields: a space is written as `_`, and what
    would be read otherwise (`_`, `%`, `<`, other white space) as `%` and its bytes, as in URLs.
    """
    return [
        f"SPEAKER {recording} 1 {turn.start_ms / 1000:.3f} "
        f"{(turn.end_ms - turn.start_ms) / 1000:.3f} <NA> <NA> "
        f"{_RTTM_ESCAPED.sub(_escaped, turn.speaker)} <NA> <NA>"
        for turn in turns
    ]


def _escaped(found: re.Match[str]) -> str:
    return "_" if found[0] == " " else "".join(f"%{byte:02X}" for byte in found[0].encode())


def _text_of(transcript: FileTranscript, channel: int) -> str:
    """Return what was said in one channel."""
    own = [each.text for each in transcript.sentences if each.channel == channel]
    return _one_line(join_texts(own))


def _one_line(text: str) -> str:
    """Return a text without ends of lines, whatever it holds."""
    return " ".join(text.split())


class OrderedWriter:
    """Writes results in the order of their index as soon as all before them are settled."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._waiting: dict[int, str | None] = {}
        self._next = 0

    def put(self, index: int, text: str | None) -> None:
        """Settle one index with its text, or with None if it has none.

        Raises:
            OutputError: the text cannot be written.
        """
        self._waiting[index] = text
        while self._next in self._waiting:
            ready = self._waiting.pop(self._next)
            self._next += 1
            if ready is not None:
                self._output.write(ready)
