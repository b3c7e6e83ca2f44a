"""Who speaks, in the forms of OpenAI's API and beside them. Times are seconds."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Iterator, Sequence
from typing import Any

from asr_client import FileTranscript, Sentence, Word

_FOUND = re.compile(r"S([1-9][0-9]*)")


def diarized(result: FileTranscript, known: Sequence[str]) -> dict[str, Any]:
    """Return a transcript as `diarized_json`, without its usage; `known` as in `lettered`."""
    return {
        "task": "transcribe",
        "duration": result.duration_s,
        "text": result.text,
        "segments": [
            diarized_segment(sentence, number, known)
            for number, sentence in enumerate(result.sentences)
        ],
    }


def diarized_segment(sentence: Sentence, number: int, known: Sequence[str]) -> dict[str, Any]:
    """Return a segment of `diarized_json`, which in a stream is an event; `known` as below."""
    return {
        "type": "transcript.text.segment",
        "id": segment_id(number),
        "start": sentence.start_ms / 1000,
        "end": sentence.end_ms / 1000,
        "text": sentence.text,
        "speaker": lettered(sentence.speaker or "S1", known),
    }


def segment_id(number: int) -> str:
    """Return the name of the segment with this number, from 0."""
    return f"seg_{number:03d}"


def lettered(speaker: str, known: Sequence[str]) -> str:
    """Return S1, S2 … as OpenAI's A, B …, behind Z AA; other names as they are.

    Letters by which somebody is `known` are left out.
    """
    found = _FOUND.fullmatch(speaker)
    if found is None:
        return speaker
    free = (letters for letters in _letters() if letters not in known)
    return next(itertools.islice(free, int(found[1]) - 1, None))


def _letters() -> Iterator[str]:
    """Yield A … Z, AA, AB …."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(string.ascii_uppercase, repeat=length))


def whose(said: Sentence | Word) -> dict[str, str]:
    """Say whose a sentence or a word is, where speakers were asked for."""
    return {} if said.speaker is None else {"speaker": said.speaker}


def turns(result: FileTranscript) -> dict[str, Any]:
    """Say who speaks when, where that was asked for."""
    if not result.summary.turns:
        return {}
    return {
        "turns": [
            {"speaker": turn.speaker, "start": turn.start_ms / 1000, "end": turn.end_ms / 1000}
            for turn in result.summary.turns
        ]
    }
