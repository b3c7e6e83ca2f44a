"""Transcripts in the forms of OpenAI's API. Times are seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from asr_client import FileTranscript, Sentence, Word
from asr_client.text import srt, vtt

from .form import TranscriptionForm


def transcription_response(
    form: TranscriptionForm, result: FileTranscript, warnings: list[str]
) -> Response:
    """Return the answer in the format that was asked for."""
    if form.response_format == "text":
        return PlainTextResponse(result.text + "\n")
    if form.response_format == "srt":
        text = "".join(srt(result.sentences))
        return PlainTextResponse(text, media_type="application/x-subrip")
    if form.response_format == "vtt":
        return PlainTextResponse("".join(vtt(result.sentences)), media_type="text/vtt")
    if form.response_format == "json":
        return JSONResponse({"text": result.text, "usage": _usage(result)})
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": result.language or form.language,
        "duration": result.duration_s,
        "text": result.text,
    }
    if form.segments:
        body["segments"] = [
            _segment(number, sentence, form.words)
            for number, sentence in enumerate(result.sentences)
        ]
    if form.words:
        body["words"] = _words(result.words)
    if warnings:
        body["warnings"] = warnings
    return JSONResponse({**body, "usage": _usage(result)})


def delta_event(sentence: Sentence, *, separator: str) -> bytes:
    """Return the event for a sentence. All `delta`s joined are the text.

    Args:
        sentence: what is new.
        separator: what stands before it in the text.
    """
    return _event(
        {
            "type": "transcript.text.delta",
            "delta": separator + sentence.text,
            "start": sentence.start_ms / 1000,
            "end": sentence.end_ms / 1000,
            "words": _words(sentence.words),
        }
    )


def done_event(result: FileTranscript, warnings: list[str]) -> bytes:
    """Return the last event."""
    event = {
        "type": "transcript.text.done",
        "text": result.text,
        "language": result.language,
        "duration": result.duration_s,
        "usage": _usage(result),
    }
    return _event({**event, "warnings": warnings} if warnings else event)


def error_event(body: Mapping[str, Any]) -> bytes:
    """Return the event of a failure that came too late for a status."""
    return _event({"type": "error", **body})


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _segment(number: int, sentence: Sentence, words: bool) -> dict[str, Any]:
    segment: dict[str, Any] = {
        "id": number,
        "start": sentence.start_ms / 1000,
        "end": sentence.end_ms / 1000,
        "text": sentence.text,
    }
    return segment | ({"words": _words(sentence.words)} if words else {})


def _words(words: list[Word]) -> list[dict[str, Any]]:
    return [
        {"word": word.text, "start": word.start_ms / 1000, "end": word.end_ms / 1000}
        for word in words
    ]


def _usage(result: FileTranscript) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(result.duration_s)}
