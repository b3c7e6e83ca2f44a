"""Who speaks, in OpenAPI's words."""

from __future__ import annotations

from typing import Any

SECONDS = {"type": "number", "minimum": 0}

SPEAKER_FIELDS: dict[str, Any] = {
    "speakers": {
        "type": "string",
        "pattern": "^(auto|[1-9]|[1-4][0-9]|50)$",
        "description": "tell speakers apart, so many or as many as are found, in every format "
        "but json; diarized_json does so anyway; not one of OpenAI's",
    },
    "known_speaker_names[]": {
        "type": "array",
        "items": {"type": "string"},
        "description": "who is called by name",
    },
    "known_speaker_references[]": {
        "type": "array",
        "items": {"type": "string"},
        "description": "a recording of each, 2 s of speech at least, as a data URL",
    },
}
SPEAKER = {"type": "string", "description": "S1, S2 … or a known speaker's name"}
TURNS: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["speaker", "start", "end"],
        "properties": {"speaker": SPEAKER, "start": SECONDS, "end": SECONDS},
    },
}
DIARIZED: dict[str, Any] = {
    "type": "object",
    "required": ["task", "duration", "text", "segments", "usage"],
    "properties": {
        "task": {"const": "transcribe"},
        "duration": SECONDS,
        "text": {"type": "string"},
        "segments": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "id", "start", "end", "text", "speaker"],
                "properties": {
                    "type": {"const": "transcript.text.segment"},
                    "id": {"type": "string"},
                    "start": SECONDS,
                    "end": SECONDS,
                    "text": {"type": "string"},
                    "speaker": {
                        "type": "string",
                        "description": "A, B … or a known speaker's name",
                    },
                },
            },
        },
        "warnings": {"type": "array", "items": {"type": "string"}},
        "usage": {"type": "object"},
    },
}
