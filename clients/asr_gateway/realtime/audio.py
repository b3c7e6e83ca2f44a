"""The formats in which audio is appended: 16-bit PCM at 24 kHz or another rate, and G.711."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from asr_client.audio import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, PcmFormat
from asr_client.streaming import LiveAudio

from .requests import Fields, RequestProblem, shown, wrong

_PCM = "audio/pcm"
_PCM_RATE = 24_000  # OpenAI's only one
_G711 = {"audio/pcmu": "mulaw", "audio/pcma": "alaw"}
_G711_RATE = 8_000
# How the older form of `session.update` names them
_OLDER = {"pcm16": _PCM, "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_OLDER_NAMES = {kind: name for name, kind in _OLDER.items()}


@dataclass(frozen=True)
class AudioFormat:
    """How audio is appended.

    Attributes:
        kind: "audio/pcm" (16-bit little-endian), "audio/pcmu" or "audio/pcma"; mono.
        rate: in Hz.
    """

    kind: str = _PCM
    rate: int = _PCM_RATE

    def decode(self, text: Any) -> LiveAudio:
        """Return the audio of an append event, at `rate`.

        Raises:
            RequestProblem: it is no Base64.
        """
        if not isinstance(text, str):
            raise wrong("audio", "audio in Base64", text, code="invalid_type")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RequestProblem(
                f"audio: expected Base64; got {shown(text)} ({error})", param="audio"
            ) from None
        if self.kind == _PCM:
            return data
        return PcmFormat(_G711[self.kind], self.rate, 1).decode(data)

    def seconds(self, audio: LiveAudio) -> float:
        """Return how long decoded audio is."""
        samples = len(audio) / 2 if self.kind == _PCM else len(audio)
        return samples / self.rate

    @property
    def object(self) -> dict[str, Any]:
        """The format, as events show it."""
        return {"type": self.kind, "rate": self.rate} if self.kind == _PCM else {"type": self.kind}

    @property
    def older_name(self) -> str | dict[str, Any]:
        """The same in the older form, which has no names of other rates."""
        if self.kind == _PCM and self.rate != _PCM_RATE:
            return self.object
        return _OLDER_NAMES[self.kind]


def read_format(value: Any, param: str) -> AudioFormat:
    """Return the format that a client names, by an object or, as the older form has it, by a word.

    Raises:
        RequestProblem: it is none that is known.
    """
    if isinstance(value, str):
        if value not in _OLDER:
            raise wrong(param, f"one of {', '.join(_OLDER)}", value)
        value = {"type": _OLDER[value]}
    fields = Fields(value, param)
    kind = fields.text("type", _PCM)
    if kind in _G711:
        rate = fields.number("rate", _G711_RATE, _G711_RATE, _G711_RATE)
    elif kind == _PCM:
        rate = fields.number("rate", MIN_SAMPLE_RATE, MAX_SAMPLE_RATE, _PCM_RATE)
    else:
        raise wrong(fields.path("type"), f"one of {', '.join((_PCM, *_G711))}", kind)
    if rate % 1:
        raise wrong(fields.path("rate"), "whole Hz", rate)
    fields.finish()
    return AudioFormat(kind, int(rate))
