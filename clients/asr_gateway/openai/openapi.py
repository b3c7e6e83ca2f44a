"""The HTTP API in OpenAPI's words."""

from __future__ import annotations

from typing import Any

from asr_contract import LANGUAGE_IDS

from ..shared import DEFAULT_MODEL_NAME, MODELS
from .alignment_schema import ALIGNMENT, ALIGNMENT_FORM
from .form import GRANULARITIES, INCLUDES, RESPONSE_FORMATS
from .speaker_schema import DIARIZED, SECONDS, SPEAKER, SPEAKER_FIELDS, TURNS

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_WORD: dict[str, Any] = {
    "type": "object",
    "required": ["word", "start", "end"],
    "properties": {
        "word": {"type": "string"},
        "start": SECONDS,
        "end": SECONDS,
        "speaker": SPEAKER,
    },
}
_WORDS = {"type": "array", "items": {"$ref": "#/components/schemas/Word"}}
_LOGPROB: dict[str, Any] = {
    "type": "object",
    "required": ["token", "logprob", "bytes"],
    "properties": {
        "token": {"type": "string", "description": "a word"},
        "logprob": {"type": "number", "maximum": 0},
        "bytes": {"type": "array", "items": {"type": "integer"}},
    },
}
_SEGMENT: dict[str, Any] = {
    "type": "object",
    "required": [
        "id",
        "seek",
        "start",
        "end",
        "text",
        "tokens",
        "temperature",
        "avg_logprob",
        "compression_ratio",
        "no_speech_prob",
    ],
    "properties": {
        "id": {"type": "integer"},
        "seek": {"type": "integer", "description": "start, in frames of 10 ms"},
        "start": SECONDS,
        "end": SECONDS,
        "text": {"type": "string"},
        "tokens": {"type": "array", "items": {"type": "integer"}, "description": "empty"},
        "temperature": {"const": 0},
        "avg_logprob": {"type": "number", "maximum": 0, "description": "mean over the words"},
        "compression_ratio": {"type": "number", "minimum": 0},
        "no_speech_prob": {"const": 0},
        "words": _WORDS,
        "speaker": SPEAKER,
    },
}
_TRANSCRIPTION: dict[str, Any] = {
    "type": "object",
    "required": ["text"],
    "properties": {
        "text": {"type": "string"},
        "task": {"const": "transcribe"},
        "language": {"type": "string"},
        "duration": SECONDS,
        "segments": {"type": "array", "items": {"$ref": "#/components/schemas/Segment"}},
        "words": _WORDS,
        "logprobs": {"type": "array", "items": {"$ref": "#/components/schemas/Logprob"}},
        "turns": TURNS,
        "warnings": {"type": "array", "items": {"type": "string"}},
        "channels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["channel", "text"],
                "properties": {
                    "channel": {"type": "integer", "minimum": 1},
                    "text": {"type": "string"},
                },
            },
        },
        "usage": {"type": "object"},
    },
}
_MODEL: dict[str, Any] = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    },
}
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "audio or video"},
        "model": {
            "type": "string",
            "enum": [*MODELS, DEFAULT_MODEL_NAME],
            "description": "also other names, such as gpt-4o-transcribe or iic/SenseVoiceSmall",
        },
        "language": {
            "type": "string",
            "enum": list(LANGUAGE_IDS),
            "description": "also as a tag or a name, such as zh-CN or Chinese",
        },
        "prompt": {"type": "string", "description": "words to expect (hotwords)"},
        "itn": {
            "type": "boolean",
            "default": True,
            "description": "numbers as figures; not one of OpenAI's",
        },
        "response_format": {"type": "string", "enum": list(RESPONSE_FORMATS), "default": "json"},
        "timestamp_granularities[]": {
            "type": "array",
            "items": {"type": "string", "enum": list(GRANULARITIES)},
            "description": "of verbose_json; segment if left out",
        },
        "include[]": {
            "type": "array",
            "items": {"type": "string", "enum": list(INCLUDES)},
            "description": "of json and of events",
        },
        "keywords[]": {
            "type": "array",
            "items": {"type": "string"},
            "description": "words to expect, as in prompt",
        },
        "stream": {
            "type": "boolean",
            "default": False,
            "description": "sentences as server-sent events (transcript.text.delta, …done)",
        },
        "channels": {
            "type": "string",
            "default": "mix",
            "pattern": "^(mix|each|[1-9][0-9]*)$",
            "description": "the mix of all channels, one by its number, or each as a speaker of "
            "its own; not one of OpenAI's",
        },
        **SPEAKER_FIELDS,
        "temperature": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "of no effect",
        },
    },
}


def openapi_document() -> dict[str, Any]:
    """Return the document."""
    secured: list[dict[str, list[str]]] = [{}, {"bearer": []}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "triton-asr gateway",
            "version": "1",
            "description": "Transcription of files as OpenAI's API has it. Live audio goes over a "
            "websocket on any other path, in FunASR's protocol.",
        },
        "paths": {
            "/v1/audio/transcriptions": {
                "post": {
                    "operationId": "transcribe",
                    "summary": "Transcribe a file of any length and container",
                    "security": secured,
                    "requestBody": {
                        "required": True,
                        "content": {
                            "multipart/form-data": {
                                "schema": _FORM,
                                # one field for each value, as OpenAI's clients send it
                                "encoding": {
                                    name: {"style": "form", "explode": True}
                                    for name in _FORM["properties"]
                                    if name.endswith("[]")
                                },
                            }
                        },
                    },
                    "responses": {
                        "200": {
                            "description": "the transcript",
                            "content": {
                                "application/json": {
                                    "schema": {"anyOf": [_ref("Transcription"), _ref("Diarized")]}
                                },
                                "text/plain": {"schema": {"type": "string"}},
                                "application/x-subrip": {"schema": {"type": "string"}},
                                "text/vtt": {"schema": {"type": "string"}},
                                "text/event-stream": {"schema": {"type": "string"}},
                            },
                        },
                        **_errors(400, 401, 404, 408, 413, 429, 500, 502, 503, 504),
                    },
                }
            },
            "/v1/audio/alignments": {
                "post": {
                    "operationId": "align",
                    "summary": "Say when each word of a text is heard; not one of OpenAI's",
                    "security": secured,
                    "requestBody": {
                        "required": True,
                        "content": {"multipart/form-data": {"schema": ALIGNMENT_FORM}},
                    },
                    "responses": {
                        "200": {
                            "description": "the words in time",
                            "content": {
                                "application/json": {"schema": _ref("Alignment")},
                                "text/plain": {"schema": {"type": "string"}},
                                "application/x-subrip": {"schema": {"type": "string"}},
                            },
                        },
                        **_errors(400, 401, 404, 408, 413, 429, 500, 502, 503, 504),
                    },
                }
            },
            "/v1/models": {
                "get": {
                    "operationId": "listModels",
                    "summary": "The models that are ready",
                    "security": secured,
                    "responses": {
                        "200": _json(
                            "the models",
                            {
                                "type": "object",
                                "required": ["object", "data"],
                                "properties": {
                                    "object": {"const": "list"},
                                    "data": {"type": "array", "items": _ref("Model")},
                                },
                            },
                        ),
                        **_errors(401, 500),
                    },
                }
            },
            "/v1/models/{model}": {
                "get": {
                    "operationId": "getModel",
                    "summary": "One model",
                    "security": secured,
                    "parameters": [
                        {
                            "name": "model",
                            "in": "path",
                            "required": True,
                            "schema": {"type": "string", "minLength": 1},
                        }
                    ],
                    "responses": {
                        "200": _json("the model", _ref("Model")),
                        **_errors(401, 404, 500),
                    },
                }
            },
            "/healthz": {"get": _probe("The process lives", "200")},
            "/health": {"get": _probe("The same", "200")},
            "/readyz": {"get": _probe("Triton has the models ready", "200", "503")},
            "/metrics": {
                "get": {
                    "summary": "Counters for Prometheus",
                    "security": secured,
                    "responses": {
                        "200": {
                            "description": "the counters",
                            "content": {"text/plain": {"schema": {"type": "string"}}},
                        },
                        **_errors(401),
                    },
                }
            },
        },
        "components": {
            "schemas": {
                "Error": _ERROR,
                "Word": _WORD,
                "Logprob": _LOGPROB,
                "Segment": _SEGMENT,
                "Transcription": _TRANSCRIPTION,
                "Diarized": DIARIZED,
                "Model": _MODEL,
                "Alignment": ALIGNMENT,
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> dict[str, Any]:
    return {str(status): _json("an error", _ref("Error")) for status in statuses}


def _probe(summary: str, *statuses: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"type": "string"}, "reason": {"type": "string"}},
    }
    return {
        "summary": summary,
        "responses": {status: _json("the state", schema) for status in statuses},
    }
