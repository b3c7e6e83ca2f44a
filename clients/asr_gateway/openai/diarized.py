"""Who speaks, in the forms of OpenAI's API and beside them. Times are seconds."""

from __future__ import annotations

import re
from typing import Any

from asr_client import FileTranscript, Sentence, Word

_LETTERS = 26
_FOUND = re.compile(r"S([1-9][0-9]*)")


def diarized(result: FileTranscript) -> dict[str, Any]:
    """Return a transcript as `diarized_json`, without its usage."""
    return {
        "task": "transcribe",
        "duration": result.duration_s,
        "text": result.text,
        "segments": [
            diarized_segment(sentence, number) for number, sentence in enumerate(result.sentences)
        ],
    }


def diarized_segment(sentence: Sentence, number: int) -> dict[str, Any]:
    """Return a segment of `diarized_json`, which in a stream is an event."""
    return {
        "type": "transcript.text.segment",
        "id": segment_id(number),
        "start": sentence.start_ms / 1000,
        "end": sentence.end_ms / 1000,
        "text": sentence.text,
        "speaker": lettered(sentence.speaker or "S1"),
    }


def segment_id(number: int) -> str:
    """Return the name of the segment with this number, from 0."""
    return f"seg_{number:03d}"


def lettered(speaker: str) -> str:
    """Return S1, S2 … as OpenAI's A, B …, behind Z AA; other names as they are."""
    found = _FOUND.fullmatch(speaker)
    if found is None:
        return speaker
    number, letters = int(found[1]), ""
    while number:
        number, place = divmod(number - 1, _LETTERS)
        letters = chr(ord("A") + place) + letters
    return letters


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
