"""How a session transcribes, and how events show that in the newer form and in the older one.

Newer: `{"type": "transcription", "audio": {"input": {"format", "transcription", "turn_detection",
"noise_reduction"}}, "include"}`. Older: the same things side by side, as `input_audio_format`,
`input_audio_transcription`, `turn_detection` and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asr_client import FileOptions
from asr_contract import read_language

from ..shared import DEFAULT_MODEL_NAME
from .audio import AudioFormat

LOGPROBS = "item.input_audio_transcription.logprobs"
SERVER_VAD = "server_vad"

# OpenAI serves these without a VAD, and their clients end each item themselves.
_WITHOUT_VAD = ("gpt-realtime-whisper", "gpt-live-transcribe")

# The VAD takes a frame for speech where its probability exceeds that of noise by 0.6, its default:
# where it is 0.8 or more. OpenAI's default of 0.5 means that.
_DEFAULT_THRESHOLD, _DEFAULT_PROBABILITY = 0.5, 0.8


@dataclass(frozen=True)
class TurnDetection:
    """When the VAD begins and ends an item.

    Attributes:
        threshold: 0 to 1; more lets less through.
        prefix_padding_ms: audio that is taken with it from before its speech.
        silence_duration_ms: silence that ends it.
    """

    threshold: float = _DEFAULT_THRESHOLD
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500

    @property
    def vad_options(self) -> dict[str, float]:
        """Return the same as options of the VAD; its own threshold where that is not changed."""
        options: dict[str, float] = {
            "lookback_time_start_point": self.prefix_padding_ms,
            "max_end_silence_time": self.silence_duration_ms,
        }
        if self.threshold != _DEFAULT_THRESHOLD:
            below, above = _DEFAULT_PROBABILITY, 1 - _DEFAULT_PROBABILITY
            probability = below * min(self.threshold / _DEFAULT_THRESHOLD, 1)
            probability += above * max(self.threshold / _DEFAULT_THRESHOLD - 1, 0)
            options["speech_noise_thres"] = round(2 * probability - 1, 6)
        return options

    @property
    def object(self) -> dict[str, Any]:
        """The same, as events show it."""
        return {
            "type": SERVER_VAD,
            "threshold": self.threshold,
            "prefix_padding_ms": self.prefix_padding_ms,
            "silence_duration_ms": self.silence_duration_ms,
        }


@dataclass(frozen=True)
class SessionOptions:
    """How a session transcribes.

    Attributes:
        model_name: as the client calls it.
        format: of the audio.
        language: as the client wrote it; "" to find it out.
        prompt, keywords: words to expect.
        default_detection: what is not said of `turn_detection`.
        turn_detection: None where the client ends items itself.
        turn_detection_told: the client has said which it wants.
        logprobs: whether events say how probable each word is.
    """

    model_name: str = DEFAULT_MODEL_NAME
    format: AudioFormat = field(default_factory=AudioFormat)
    language: str = ""
    prompt: str = ""
    keywords: tuple[str, ...] = ()
    default_detection: TurnDetection = field(default_factory=TurnDetection)
    turn_detection: TurnDetection | None = field(default_factory=TurnDetection)
    turn_detection_told: bool = False
    logprobs: bool = False

    def with_model(self, name: str) -> SessionOptions:
        """Return the same for another model, which may have another default of `turn_detection`."""
        if self.turn_detection_told or (name in _WITHOUT_VAD) == (self.model_name in _WITHOUT_VAD):
            return replace(self, model_name=name)
        detection = None if name in _WITHOUT_VAD else self.default_detection
        return replace(self, model_name=name, turn_detection=detection)

    def recognises_like(self, other: SessionOptions) -> bool:
        """Return whether what is recognised may go on when these become the others."""
        return replace(self, format=other.format, turn_detection_told=False) == replace(
            other, turn_detection_told=False
        )

    def file_options(
        self, model: str, hotwords: str, vad_options: Mapping[str, float]
    ) -> FileOptions:
        """Return what the SDK is asked for.

        Args:
            model: of the SDK.
            hotwords: in a form that the SDK takes.
            vad_options: the gateway's own.
        """
        own = self.turn_detection.vad_options if self.turn_detection is not None else {}
        return FileOptions(
            model=model,
            language=read_language(self.language) if self.language else "auto",
            hotwords=hotwords,
            vad_options={**vad_options, **own},
        )

    @property
    def object(self) -> dict[str, Any]:
        """The options as events show them, in the newer form."""
        return {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": self.format.object,
                    "noise_reduction": None,
                    "transcription": self._transcription(),
                    "turn_detection": self._detection(),
                }
            },
            "include": self._include(),
        }

    @property
    def older_object(self) -> dict[str, Any]:
        """The same in the older form."""
        return {
            "input_audio_format": self.format.older_name,
            "input_audio_noise_reduction": None,
            "input_audio_transcription": self._transcription(),
            "turn_detection": self._detection(),
            "include": self._include(),
        }

    def _transcription(self) -> dict[str, Any]:
        told: dict[str, Any] = {"model": self.model_name}
        told |= {"language": self.language} if self.language else {}
        told |= {"prompt": self.prompt} if self.prompt else {}
        return told | ({"keywords": list(self.keywords)} if self.keywords else {})

    def _detection(self) -> dict[str, Any] | None:
        return None if self.turn_detection is None else self.turn_detection.object

    def _include(self) -> list[str] | None:
        return [LOGPROBS] if self.logprobs else None


def first_options(model_name: str, vad_options: Mapping[str, float]) -> SessionOptions:
    """Return the options of a session about which nothing was said but perhaps a model.

    Args:
        model_name: of the URL; "" for none.
        vad_options: the gateway's own, which are the defaults here.
    """
    default = TurnDetection()
    detection = TurnDetection(
        prefix_padding_ms=int(
            vad_options.get("lookback_time_start_point", default.prefix_padding_ms)
        ),
        silence_duration_ms=int(
            vad_options.get("max_end_silence_time", default.silence_duration_ms)
        ),
    )
    options = SessionOptions(default_detection=detection, turn_detection=detection)
    return options.with_model(model_name) if model_name else options
