"""Alignments in OpenAPI's words."""

from __future__ import annotations

from typing import Any

from asr_client.alignment import ALIGNMENT_FORMATS, ALIGNMENT_MODELS

_MS = {"type": "integer", "minimum": 0}
_WORD: dict[str, Any] = {
    "type": "object",
    "required": ["text", "start_ms", "end_ms", "confidence", "start", "end", "heard"],
    "properties": {
        "text": {"type": "string"},
        "start_ms": _MS,
        "end_ms": _MS,
        "confidence": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 1,
            "description": "0 where the audio is explained better without the word; null where "
            "that cannot be told",
        },
        "start": {"type": "integer", "description": "where the word stands in the text"},
        "end": {"type": "integer"},
        "heard": {"type": "boolean"},
    },
}
ALIGNMENT: dict[str, Any] = {
    "type": "object",
    "required": ["duration_s", "model", "warnings", "sentences"],
    "properties": {
        "duration_s": {"type": "number", "minimum": 0},
        "model": {"type": "string"},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "sentences": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["text", "start_ms", "end_ms", "heard", "words"],
                "properties": {
                    "text": {"type": "string"},
                    "start_ms": _MS,
                    "end_ms": _MS,
                    "heard": {"type": "boolean"},
                    "words": {"type": "array", "items": _WORD},
                },
            },
        },
    },
}
ALIGNMENT_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file", "text"],
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "audio or video, of any length and container",
        },
        "text": {"type": "string", "description": "what is said, as a field or a text file"},
        "language": {"type": "string", "description": "as of transcriptions"},
        "model": {
            "enum": [*ALIGNMENT_MODELS],
            "default": "auto",
            "description": "auto: fa-zh for Chinese where the server has it, else sensevoice",
        },
        "response_format": {"enum": [*ALIGNMENT_FORMATS], "default": "json"},
        "channels": {
            "type": "string",
            "default": "mix",
            "pattern": "^(mix|[1-9][0-9]*)$",
            "description": "the mix of all channels, or one by its number",
        },
    },
}
