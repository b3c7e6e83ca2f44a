"""What a client of `POST /v1/audio/transcriptions` asks for: the fields of its form."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile

from asr_client import KnownSpeakers, OptionError
from asr_client.audio import Channels, read_channels
from asr_client.diarisation import SpeakerCount
from asr_contract import read_language, write_hotwords
from asr_contract.bounded_json import parse_json
from asr_contract.hotwords import Hotword

from ..shared import EXPECTED_NAMES, ModelNames
from .api_errors import ApiError
from .fields import MAX_SHOWN, choice, choices, field_error, flag, read_text_field, texts
from .speaker_fields import read_known_speakers, read_speaker_count

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt", "diarized_json")
GRANULARITIES = ("word", "segment")
INCLUDES = ("logprobs",)
_MAX_TEMPERATURE = 1.0
_MOST_OF_VAD = {
    "threshold": 1.0,
    "prefix_padding_ms": math.inf,
    "silence_duration_ms": math.inf,
}


@dataclass(frozen=True)
class TranscriptionForm:
    """The fields.

    Attributes:
        file: the upload.
        model: "sensevoice" or "paraformer".
        language: a word of `asr_contract.languages`.
        hotwords: words to expect: texts, each in a form that the SDK takes.
        itn: whether numbers become figures; OpenAI has no such field.
        words: whether `verbose_json` has words.
        segments: whether it has segments.
        logprobs: whether `json`, or the events, say how probable each word is.
        stream: whether the answer comes as server-sent events.
        channels: "mix", one, or "each"; OpenAI has no such field.
        speakers: how many there are, "auto", or None to not tell them apart; OpenAI has no such
            field, but a format.
        known_speakers: who is called by name, with a recording of each; None for the gateway's own.
    """

    file: UploadFile
    model: str
    language: str
    hotwords: tuple[str, ...]
    itn: bool
    response_format: str
    words: bool
    segments: bool
    logprobs: bool
    stream: bool
    channels: Channels
    speakers: SpeakerCount | None
    known_speakers: KnownSpeakers | None

    @property
    def known_names(self) -> list[str]:
        """By which names speakers are called who are known."""
        return [] if self.known_speakers is None else self.known_speakers.names


def read_form(form: FormData, models: ModelNames) -> TranscriptionForm:
    """Check the fields; those that OpenAI has and that mean nothing here have no effect.

    Raises:
        ApiError: one makes no sense.
    """
    file = read_audio_file(form)
    granularities = choices(form, "timestamp_granularities", GRANULARITIES)
    includes = choices(form, "include", INCLUDES)
    response_format = choice(form, "response_format", RESPONSE_FORMATS, "json")
    stream = flag(form, "stream", default=False)
    if includes and response_format != "json" and not stream:
        raise field_error("include[]", "logprobs with response_format json", response_format)
    _check_temperature(read_text_field(form, "temperature"))
    _check_chunking(form)
    speakers = read_speaker_count(form, response_format, stream=stream)
    return TranscriptionForm(
        file=file,
        model=_model(read_text_field(form, "model"), models),
        language=read_language_field(form),
        hotwords=_hotwords(form),
        itn=flag(form, "itn", default=True),
        response_format=response_format,
        words="word" in granularities,
        segments="segment" in granularities or "word" not in granularities,
        logprobs="logprobs" in includes,
        stream=stream,
        channels=read_channels_field(form),
        speakers=speakers,
        known_speakers=read_known_speakers(form, speakers),
    )


def _model(name: str, models: ModelNames) -> str:
    model = models.model(name)
    if model is None:
        raise ApiError(
            404,
            f"model: expected {EXPECTED_NAMES}; got {repr(name)[:MAX_SHOWN]}",
            param="model",
            code="model_not_found",
        )
    return model


def read_language_field(form: FormData) -> str:
    """Read `language` in any form, or `languages[]` where that names one alone."""
    word, others = read_text_field(form, "language"), texts(form, "languages")
    try:
        languages = [read_language(each) for each in ([word] if word else others)]
    except ValueError as error:
        raise ApiError(400, str(error), param="language" if word else "languages[]") from None
    return languages[0] if len(languages) == 1 else "auto"


def _hotwords(form: FormData) -> tuple[str, str]:
    """Return `prompt`, and `keywords[]` as one text."""
    keywords = write_hotwords(Hotword(word) for word in texts(form, "keywords"))
    return read_text_field(form, "prompt"), keywords


def _check_temperature(word: str) -> None:
    """Refuse a temperature that is none; the models have no use for one."""
    if not 0 <= _number(word or 0) <= _MAX_TEMPERATURE:
        raise field_error("temperature", f"a number from 0 to {_MAX_TEMPERATURE:g}", word)


def _check_chunking(form: FormData) -> None:
    """Refuse a strategy that is none; speech is always cut by the VAD.

    It is a word, JSON, or a field for each of its own (`chunking_strategy[type]`).
    """
    word, start = read_text_field(form, "chunking_strategy"), "chunking_strategy["
    got: object = {
        key.removeprefix(start)[:-1]: value
        for key, value in form.multi_items()
        if key.startswith(start)
    }
    if not got and word in ("", "auto"):
        return
    with suppress(ValueError):
        got = got or parse_json(word)
    if not _is_strategy(got):
        raise field_error("chunking_strategy", "auto, or an object of type server_vad", got or word)


def _is_strategy(got: object) -> bool:
    """Return whether it is OpenAI's `server_vad` with fields and values that it has."""
    return (
        isinstance(got, dict)
        and got.get("type") == "server_vad"
        and all(
            name == "type" or 0 <= _number(value) <= _MOST_OF_VAD.get(name, -1)
            for name, value in got.items()
        )
    )


def _number(value: object) -> float:
    """Return a number, perhaps written as text; NaN for anything else."""
    try:
        return float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def read_audio_file(form: FormData) -> UploadFile:
    """Return the recording that was uploaded."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        got = "none" if file is None else "a field of text; curl sends a file with -F file=@NAME"
        raise ApiError(400, f"file: expected an audio or video file; got {got}", param="file")
    return file


def read_channels_field(form: FormData) -> Channels:
    """Read `channels`: `mix`, `each`, a number, or nothing."""
    word = read_text_field(form, "channels")
    try:
        return read_channels(word or "mix")
    except OptionError:
        raise field_error("channels", "mix, each or the number of a channel", word) from None
