"""What a client of `POST /v1/audio/transcriptions` asks for: the fields of its form."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile

from asr_contract import LANGUAGE_IDS, read_language

from ..shared import MODELS
from .api_errors import ApiError

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")
DEFAULT_MODEL_NAME = "whisper-1"  # which applications send without asking


@dataclass(frozen=True)
class TranscriptionForm:
    """The fields.

    Attributes:
        file: the upload.
        model: "sensevoice" or "paraformer".
        language: a word of `asr_contract.languages`.
        prompt: words to expect.
        itn: whether numbers become figures; OpenAI has no such field.
        words: whether `verbose_json` has words.
        segments: whether it has segments.
        stream: whether the answer comes as server-sent events.
    """

    file: UploadFile
    model: str
    language: str
    prompt: str
    itn: bool
    response_format: str
    words: bool
    segments: bool
    stream: bool


def read_form(form: FormData, default_model: str) -> TranscriptionForm:
    """Check the fields; those that mean nothing here, such as `temperature`, are ignored.

    Raises:
        ApiError: one makes no sense.
    """
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise ApiError(400, "file: expected an audio or video file; got none", param="file")
    granularities = [
        value
        for name in ("timestamp_granularities[]", "timestamp_granularities")
        for value in form.getlist(name)
    ]
    for value in granularities:
        if value not in GRANULARITIES:
            raise _error("timestamp_granularities[]", f"one of {', '.join(GRANULARITIES)}", value)
    response_format = _text(form, "response_format") or "json"
    if response_format not in RESPONSE_FORMATS:
        raise _error("response_format", f"one of {', '.join(RESPONSE_FORMATS)}", response_format)
    return TranscriptionForm(
        file=file,
        model=_model(_text(form, "model"), default_model),
        language=_language(_text(form, "language")),
        prompt=_text(form, "prompt"),
        itn=_flag(form, "itn", default=True),
        response_format=response_format,
        words="word" in granularities,
        segments="segment" in granularities or "word" not in granularities,
        stream=_flag(form, "stream", default=False),
    )


def resolve_model(name: str, default_model: str) -> str | None:
    """Return the model behind a name; None for an unknown one."""
    if name in ("", DEFAULT_MODEL_NAME):
        return default_model
    return name if name in MODELS else None


def _model(name: str, default_model: str) -> str:
    model = resolve_model(name, default_model)
    if model is None:
        expected = ", ".join((*MODELS, DEFAULT_MODEL_NAME))
        raise ApiError(
            404,
            f"model: expected one of {expected}; got {name!r}",
            param="model",
            code="model_not_found",
        )
    return model


def _language(word: str) -> str:
    """Read `zh`, `zh-CN`, or nothing."""
    language = word.lower().replace("_", "-").partition("-")[0] or "auto"
    try:
        return read_language(language)
    except ValueError:
        raise _error("language", f"one of {', '.join(LANGUAGE_IDS)}", word) from None


def _flag(form: FormData, name: str, *, default: bool) -> bool:
    word = _text(form, name).lower()
    if word not in ("", "true", "false", "1", "0"):
        raise _error(name, "true or false", word)
    return word in ("true", "1") if word else default


def _text(form: FormData, name: str) -> str:
    """Return a field that is text; "" where there is none."""
    value = form.get(name, "")
    if not isinstance(value, str):
        raise ApiError(400, f"{name}: expected text; got a file", param=name)
    return value.strip()


def _error(name: str, expected: str, got: object) -> ApiError:
    shown = repr(got)[:80]
    return ApiError(400, f"{name}: expected {expected}; got {shown}", param=name)
