"""The names under which clients ask for a model.

Applications write a model's name into their code: OpenAI's, or a checkpoint's. Each is an alias of
a recogniser here, or of the gateway's own; `--model-alias` adds others and replaces these.
"""

from __future__ import annotations

from collections.abc import Mapping

from asr_contract import RECOGNISERS, STREAMING_MODEL

MODELS = tuple(RECOGNISERS)
ONLINE_MODELS = (STREAMING_MODEL, *MODELS)  # of the first pass
DEFAULT_MODEL_NAME = "whisper-1"  # which applications send without asking

_OWN = ""  # the gateway's own model

DEFAULT_ALIASES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            DEFAULT_MODEL_NAME,
            "gpt-transcribe",
            "gpt-4o-transcribe",
            "gpt-4o-mini-transcribe",
            "gpt-4o-mini-transcribe-2025-12-15",
            "gpt-realtime-whisper",
            "gpt-live-transcribe",
            "whisper-large-v2",
            "whisper-large-v3",
            "whisper-large-v3-turbo",
            "openai/whisper-large-v3",
            "openai/whisper-large-v3-turbo",
            "Systran/faster-whisper-large-v3",
        ),
        _OWN,
    ),
    **dict.fromkeys(
        ("iic/SenseVoiceSmall", "FunAudioLLM/SenseVoiceSmall", "SenseVoiceSmall"), "sensevoice"
    ),
    **dict.fromkeys(
        (
            "paraformer-zh",
            "funasr/paraformer-zh",
            "iic/speech_paraformer-large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
            "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
        ),
        "paraformer",
    ),
}


class ModelNames:
    """Tells which model a name means.

    Args:
        default: the gateway's own model, one of `MODELS`.
        aliases: name → one of `MODELS`, beside and before `DEFAULT_ALIASES`.

    Attributes:
        listed: what `/v1/models` offers beside `MODELS`: the name that applications send without
            asking, and what the operator named.
    """

    def __init__(self, default: str, aliases: Mapping[str, str]) -> None:
        self._default = default
        self._aliases = {**DEFAULT_ALIASES, **aliases}
        self.listed = tuple(dict.fromkeys((DEFAULT_MODEL_NAME, *aliases)))

    def model(self, name: str) -> str | None:
        """Return the model that a name means, the gateway's own for ""; None for an unknown one."""
        if name in MODELS:
            return name
        target = self._aliases.get(name) if name else _OWN
        return self._default if target == _OWN else target
