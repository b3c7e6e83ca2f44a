"""What a client says in FunASR's websocket protocol, without any input or output.

A client sends text messages (JSON objects) and binary ones (audio). `is_speaking: true` begins an
utterance, `is_speaking: false` ends its audio. A field is a line of the table at the end, with how
it is read, and an attribute of `UtteranceOptions`. What is answered is in `replies`.
(FunASR: runtime/docs/websocket_protocol.md, its servers and clients)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asr_client import OptionError
from asr_client.audio import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from asr_client.diarisation import MAX_SPEAKERS, SpeakerCount, read_speakers
from asr_contract import (
    DEFAULT_CHUNK_SIZE,
    SAMPLE_RATE,
    ChunkSize,
    chunk_size_of,
    join_hotwords,
    parse_chunk_size,
    read_language,
)
from asr_contract.bounded_json import parse_json

from ..shared import MODELS, ONLINE_MODELS

MODES = ("offline", "online", "2pass")
# Names of headerless 16-bit samples. Anything else names a file, whose bytes say what it is.
_PCM_FORMATS = ("pcm", "raw", "s16le", "s16", "pcm16", "pcm_s16le", "pcm16le", "l16")
MAX_MESSAGE_CHARACTERS = 1_000_000  # of JSON; hotword lists are the longest
_MAX_NAME = 1_000


class MessageError(ValueError):
    """A client's message is not what the protocol says; the text says what was expected."""


@dataclass(frozen=True)
class UtteranceOptions:
    """What a client has said about its audio; later messages replace single fields.

    Attributes:
        mode: "offline", "online" or "2pass".
        wav_name: echoed in replies.
        wav_format: one of `_PCM_FORMATS`, or anything else for a file as it is.
        sample_rate: of PCM, in Hz.
        chunk_size: how the streaming model cuts the audio.
        hotwords: in a form that the SDK takes; "" for none.
        itn: figures for numbers; for SenseVoice marks too, unless `svs_itn` says otherwise.
        svs_lang, svs_itn: SenseVoice's language and ITN; None where not said.
        model: of the second pass, where it is not to be the gateway's own; a field that only this
            gateway knows.
        online_model: the same of the first pass.
        speakers: how many speak, "auto", or 0 to not tell them apart; None where not said. Another
            field that only this gateway knows.
    """

    mode: str = "2pass"
    wav_name: str = "wav-default-id"
    wav_format: str = "pcm"
    sample_rate: int = SAMPLE_RATE
    chunk_size: ChunkSize = DEFAULT_CHUNK_SIZE
    hotwords: str = ""
    itn: bool = True
    svs_lang: str | None = None
    svs_itn: bool | None = None
    model: str | None = None
    online_model: str | None = None
    speakers: SpeakerCount | None = None

    @property
    def is_pcm(self) -> bool:
        """Return whether the audio is raw 16-bit little-endian mono samples."""
        return self.wav_format.lower() in _PCM_FORMATS


@dataclass(frozen=True)
class ClientMessage:
    """A text message.

    Attributes:
        fields: of `UtteranceOptions`, those that it names.
        is_speaking: None where it does not say.
        wants_end: whether the end of the results is to be acknowledged (`is_end`).
        refusals: what is wrong with fields that make no sense; the others count.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    is_speaking: bool | None = None
    wants_end: bool = False
    refusals: tuple[str, ...] = ()

    def apply(self, options: UtteranceOptions) -> UtteranceOptions:
        """Return the options after this message."""
        return replace(options, **self.fields)


def parse_message(text: str) -> ClientMessage:
    """Read a client's text message; fields that the protocol does not know are ignored.

    A field whose value makes no sense is refused for itself: the end of the audio must not be
    missed because of a wrong name beside it.

    Raises:
        MessageError: it is no JSON object.
    """
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise MessageError(
            f"expected a message of at most {MAX_MESSAGE_CHARACTERS} characters; got {len(text)}"
        )
    try:
        message = parse_json(text)
    except ValueError as error:
        raise MessageError(f"expected JSON; got {_shown(text)} ({error})") from None
    if not isinstance(message, dict):
        raise MessageError(f"expected a JSON object; got {_shown(message)}")
    refusals: list[str] = []

    def value(name: str, read: Callable[[str, Any], Any]) -> Any:
        """Return what a field says; None where it is not there or makes no sense."""
        if message.get(name) is None:
            return None
        try:
            found = read(name, message[name])
            _check_encodable(name, found)
        except MessageError as error:
            refusals.append(str(error))
            return None
        return found

    read_fields = {target: value(name, read) for name, (target, read) in _FIELDS.items()}
    is_speaking = value("is_speaking", _flag)
    is_finished = value("is_finished", _flag)
    return ClientMessage(
        fields={target: found for target, found in read_fields.items() if found is not None},
        is_speaking=False if is_speaking is None and is_finished else is_speaking,
        wants_end=bool(value("is_end", _flag)),
        refusals=tuple(refusals),
    )


def _mode(name: str, value: Any) -> str:
    if value not in MODES:
        raise _error(name, f"one of {', '.join(MODES)}", value)
    return str(value)


def _name(name: str, value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise _error(name, f"text of at most {_MAX_NAME} characters", value)
    return value


def _sample_rate(name: str, value: Any) -> int:
    try:
        number = _whole(value)
    except ValueError:
        number = 0
    if not MIN_SAMPLE_RATE <= number <= MAX_SAMPLE_RATE:
        raise _error(name, f"Hz, {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}", value)
    return number


def _chunk_size(name: str, value: Any) -> ChunkSize:
    """Read three numbers, or a text with commas between them, as a C# client sends."""
    try:
        if isinstance(value, str):
            return parse_chunk_size(value)
        if isinstance(value, list):
            return chunk_size_of([_whole(number) for number in value])
    except ValueError:
        pass
    raise _error(name, "[look-back, chunk, look-ahead], such as [5, 10, 5]", value)


def _hotwords(name: str, value: Any) -> str:
    """Read text, or the list or object that others write as text."""
    try:
        if isinstance(value, str):
            text = value.strip()
            if text[:1] not in ("{", "["):
                return text
            value = parse_json(text)
        if isinstance(value, dict):  # a Java client writes its weights as text
            value = {word: _number(weight) for word, weight in value.items()}
        if isinstance(value, list) or (isinstance(value, dict) and None not in value.values()):
            return join_hotwords(json.dumps(value))
    except ValueError:
        pass
    raise _error(name, "words, a list of them, or an object {word: weight}", value)


def _flag(name: str, value: Any) -> bool:
    """Read true or false; also as 0 and 1, and as text."""
    if isinstance(value, str) and value.lower() in ("true", "false", "0", "1"):
        return value.lower() in ("true", "1")
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise _error(name, "true or false", value)


def _language(name: str, value: Any) -> str:
    try:
        return read_language("auto" if value == "" else value)
    except ValueError as error:
        raise MessageError(str(error).replace("language", name, 1)) from None


def _model(name: str, value: Any) -> str:
    if value not in MODELS:
        raise _error(name, f"one of {', '.join(MODELS)}", value)
    return str(value)


def _online_model(name: str, value: Any) -> str:
    if value not in ONLINE_MODELS:
        raise _error(name, f"one of {', '.join(ONLINE_MODELS)}", value)
    return str(value)


def _speakers(name: str, value: Any) -> SpeakerCount:
    """Read a number of speakers, auto, or true or false for auto or none."""
    if value is False or value == "false":
        return 0
    try:
        return read_speakers("auto" if value is True or value in ("true", "") else str(value))
    except OptionError as error:
        if "SciPy" in str(error):
            raise MessageError(str(error)) from None
        raise _error(name, f"1 to {MAX_SPEAKERS}, auto, true or false", value) from None


def _number(value: Any) -> float | None:
    """Return a finite number, perhaps written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int:
    """Read a whole number; some clients send it as text or with a fraction of zero.

    Raises:
        ValueError: it is none.
    """
    number = _number(value)
    if number is None or number % 1:
        raise ValueError(f"expected a whole number; got {_shown(value)}")
    return int(number)


def _check_encodable(name: str, value: Any) -> None:
    """Refuse halves of characters, which JSON can write and no text can hold.

    Raises:
        MessageError: there is one.
    """
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise _error(name, "whole characters", value) from None


def _error(name: str, expected: str, got: Any) -> MessageError:
    return MessageError(f"{name}: expected {expected}; got {_shown(got)}")


def _shown(value: Any) -> str:
    """Return a value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"


# Name in the protocol → (name in `UtteranceOptions`, how to read it)
_FIELDS = {
    "mode": ("mode", _mode),
    "wav_name": ("wav_name", _name),
    "wav_format": ("wav_format", _name),
    "audio_fs": ("sample_rate", _sample_rate),
    "chunk_size": ("chunk_size", _chunk_size),
    "hotwords": ("hotwords", _hotwords),
    "itn": ("itn", _flag),
    "svs_lang": ("svs_lang", _language),
    "svs_itn": ("svs_itn", _flag),
    "model": ("model", _model),
    "online_model": ("online_model", _online_model),
    "speakers": ("speakers", _speakers),
}
