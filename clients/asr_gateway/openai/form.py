"""What a client of `POST /v1/audio/transcriptions` asks for: the fields of its form."""

from __future__ import annotations

import math
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile

from asr_client import OptionError
from asr_client.audio import Channels, read_channels
from asr_contract import join_hotwords, read_language, write_hotwords
from asr_contract.bounded_json import parse_json
from asr_contract.hotwords import Hotword

from ..shared import DEFAULT_MODEL_NAME, MODELS, ModelNames
from .api_errors import ApiError

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")
INCLUDES = ("logprobs",)
_MAX_TEMPERATURE = 1.0
_MAX_SHOWN = 80


@dataclass(frozen=True)
class TranscriptionForm:
    """The fields.

    Attributes:
        file: the upload.
        model: "sensevoice" or "paraformer".
        language: a word of `asr_contract.languages`.
        hotwords: words to expect, in a form that the SDK takes.
        itn: whether numbers become figures; OpenAI has no such field.
        words: whether `verbose_json` has words.
        segments: whether it has segments.
        logprobs: whether `json`, or the events, say how probable each word is.
        stream: whether the answer comes as server-sent events.
        channels: "mix", one, or "each"; OpenAI has no such field.
    """

    file: UploadFile
    model: str
    language: str
    hotwords: str
    itn: bool
    response_format: str
    words: bool
    segments: bool
    logprobs: bool
    stream: bool
    channels: Channels


def read_form(form: FormData, models: ModelNames) -> TranscriptionForm:
    """Check the fields; those that OpenAI has and that mean nothing here have no effect.

    Raises:
        ApiError: one makes no sense.
    """
    file = read_audio_file(form)
    granularities = _choices(form, "timestamp_granularities", GRANULARITIES)
    includes = _choices(form, "include", INCLUDES)
    response_format = read_text_field(form, "response_format") or "json"
    if response_format not in RESPONSE_FORMATS:
        raise _error("response_format", f"one of {', '.join(RESPONSE_FORMATS)}", response_format)
    stream = _flag(form, "stream", default=False)
    if includes and response_format != "json" and not stream:
        raise _error("include[]", "logprobs with response_format json", response_format)
    _check_temperature(read_text_field(form, "temperature"))
    _check_chunking(read_text_field(form, "chunking_strategy"))
    return TranscriptionForm(
        file=file,
        model=_model(read_text_field(form, "model"), models),
        language=read_language_field(form),
        hotwords=_hotwords(form),
        itn=_flag(form, "itn", default=True),
        response_format=response_format,
        words="word" in granularities,
        segments="segment" in granularities or "word" not in granularities,
        logprobs="logprobs" in includes,
        stream=stream,
        channels=read_channels_field(form),
    )


def _model(name: str, models: ModelNames) -> str:
    model = models.model(name)
    if model is None:
        expected = ", ".join((*MODELS, DEFAULT_MODEL_NAME))
        raise ApiError(
            404,
            f"model: expected one of {expected}, or another of its names; got "
            f"{repr(name)[:_MAX_SHOWN]}",
            param="model",
            code="model_not_found",
        )
    return model


def read_language_field(form: FormData) -> str:
    """Read `language` in any form, or `languages[]` where that names one alone."""
    word, others = read_text_field(form, "language"), _texts(form, "languages")
    try:
        languages = [read_language(each) for each in ([word] if word else others)]
    except ValueError as error:
        raise ApiError(400, str(error), param="language" if word else "languages[]") from None
    return languages[0] if len(languages) == 1 else "auto"


def _hotwords(form: FormData) -> str:
    """Join `prompt` and `keywords[]`; a prompt that cannot be read is the model's to refuse."""
    prompt = read_text_field(form, "prompt")
    keywords = write_hotwords(Hotword(word) for word in _texts(form, "keywords"))
    if not keywords:
        return prompt
    try:
        return join_hotwords(prompt, keywords)
    except ValueError:
        return keywords


def _check_temperature(word: str) -> None:
    """Refuse a temperature that is none; the models have no use for one."""
    try:
        number = float(word or 0)
    except ValueError:
        number = math.nan
    if not 0 <= number <= _MAX_TEMPERATURE:
        raise _error("temperature", f"a number from 0 to {_MAX_TEMPERATURE:g}", word)


def _check_chunking(word: str) -> None:
    """Refuse a strategy that is none; speech is always cut by the VAD."""
    try:
        is_known = word in ("", "auto") or isinstance(parse_json(word), dict)
    except ValueError:
        is_known = False
    if not is_known:
        raise _error("chunking_strategy", "auto, or an object", word)


def _choices(form: FormData, name: str, known: tuple[str, ...]) -> list[str]:
    """Return the values of a list, all of them known."""
    values = _texts(form, name)
    for value in values:
        if value not in known:
            raise _error(f"{name}[]", f"one of {', '.join(known)}", value)
    return values


def read_audio_file(form: FormData) -> UploadFile:
    """Return the recording that was uploaded."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise ApiError(400, "file: expected an audio or video file; got none", param="file")
    return file


def read_channels_field(form: FormData) -> Channels:
    """Read `channels`: `mix`, `each`, a number, or nothing."""
    word = read_text_field(form, "channels")
    try:
        return read_channels(word or "mix")
    except OptionError:
        raise _error("channels", "mix, each or the number of a channel", word) from None


def _flag(form: FormData, name: str, *, default: bool) -> bool:
    word = read_text_field(form, name).lower()
    if word not in ("", "true", "false", "1", "0"):
        raise _error(name, "true or false", word)
    return word in ("true", "1") if word else default


def read_text_field(form: FormData, name: str) -> str:
    """Return a field that is text; "" where there is none."""
    value = form.get(name, "")
    if not isinstance(value, str):
        raise ApiError(400, f"{name}: expected text; got a file", param=name)
    return value.strip()


def _texts(form: FormData, name: str) -> list[str]:
    """Return the values of a list, which clients write with brackets or without."""
    values = [value for key in (f"{name}[]", name) for value in form.getlist(key)]
    for value in values:
        if not isinstance(value, str):
            raise ApiError(400, f"{name}[]: expected text; got a file", param=f"{name}[]")
    return [str(value).strip() for value in values]


def _error(name: str, expected: str, got: object) -> ApiError:
    shown = repr(got)[:_MAX_SHOWN]
    return ApiError(400, f"{name}: expected {expected}; got {shown}", param=name)
