"""What a client of the Realtime API is told: dictionaries for `json.dumps`, without `event_id`.

Items come in two forms: `conversation.item.added` and `.done`, or to clients of the older form
`conversation.item.created`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from asr_client import Sentence

from ..openai import word_logprobs
from .options import SessionOptions

_TRANSCRIPTION = "conversation.item.input_audio_transcription"
_CONTENT_INDEX = 0  # an item has one part


def new_id(kind: str) -> str:
    """Return a name for a session, an item or an event."""
    return f"{kind}_{secrets.token_hex(12)}"


def session_event(
    event: str, session_id: str, options: SessionOptions, *, older: bool
) -> dict[str, Any]:
    """Say how a session transcribes; `event` is "created" or "updated"."""
    session = {"id": session_id, "object": "realtime.transcription_session"}
    if older:
        return {
            "type": f"transcription_session.{event}",
            "session": session | options.older_object,
        }
    return {"type": f"session.{event}", "session": session | options.object}


def speech_started(item_id: str, audio_start_ms: int) -> dict[str, Any]:
    """Say that the VAD hears an item begin."""
    return {
        "type": "input_audio_buffer.speech_started",
        "item_id": item_id,
        "audio_start_ms": audio_start_ms,
    }


def speech_stopped(item_id: str, audio_end_ms: int) -> dict[str, Any]:
    """Say that it has ended."""
    return {
        "type": "input_audio_buffer.speech_stopped",
        "item_id": item_id,
        "audio_end_ms": audio_end_ms,
    }


def committed(
    item_id: str, previous_item_id: str | None, *, older: bool
) -> Iterator[dict[str, Any]]:
    """Say that audio has become an item, and show it."""
    behind = {"previous_item_id": previous_item_id}
    yield {"type": "input_audio_buffer.committed", "item_id": item_id, **behind}
    item = {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    for name in ("created",) if older else ("added", "done"):
        yield {"type": f"conversation.item.{name}", "item": item, **behind}


def cleared() -> dict[str, Any]:
    """Say that audio was forgotten."""
    return {"type": "input_audio_buffer.cleared"}


def delta(item_id: str, text: str) -> dict[str, Any]:
    """Give new text of an item, while it is spoken."""
    return {
        "type": f"{_TRANSCRIPTION}.delta",
        "item_id": item_id,
        "content_index": _CONTENT_INDEX,
        "delta": text,
    }


def completed(
    item_id: str,
    text: str,
    sentences: Sequence[Sentence],
    seconds: float,
    warnings: Sequence[str],
    *,
    logprobs: bool,
) -> dict[str, Any]:
    """Give the text of an item. `doubtful` and `warnings` are of this gateway alone."""
    event: dict[str, Any] = {
        "type": f"{_TRANSCRIPTION}.completed",
        "item_id": item_id,
        "content_index": _CONTENT_INDEX,
        "transcript": text,
        "usage": {"type": "duration", "seconds": seconds},
    }
    languages = dict.fromkeys(sentence.language for sentence in sentences if sentence.language)
    if languages:
        event["languages"] = [{"code": code} for code in languages]
    if logprobs:
        event["logprobs"] = word_logprobs(word for sentence in sentences for word in sentence.words)
    if any(sentence.doubtful for sentence in sentences):
        event["doubtful"] = True
    return event | ({"warnings": list(warnings)} if warnings else {})


def failed(item_id: str, message: str) -> dict[str, Any]:
    """Say that an item has no text."""
    return {
        "type": f"{_TRANSCRIPTION}.failed",
        "item_id": item_id,
        "content_index": _CONTENT_INDEX,
        "error": {"type": "server_error", "code": None, "message": message, "param": None},
    }


def error(
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    event_id: str | None = None,
) -> dict[str, Any]:
    """Say what went wrong; `event_id` is that of the client's event."""
    return {
        "type": "error",
        "error": {
            "type": kind,
            "code": code,
            "message": message,
            "param": param,
            "event_id": event_id,
        },
    }
