"""The names under which clients ask for a model.

Applications write a model's name into their code: OpenAI's, or a checkpoint's. Each is an alias of
a recogniser here, or of the gateway's own; `--model-alias` adds others and replaces these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from asr_contract import RECOGNISERS, STREAMING_MODEL

MODELS = tuple(RECOGNISERS)
ONLINE_MODELS = (STREAMING_MODEL, *MODELS)  # of the first pass
DEFAULT_MODEL_NAME = "whisper-1"  # which applications send without asking

EXPECTED_NAMES = f"one of {', '.join((*MODELS, DEFAULT_MODEL_NAME))}, or another of its names"
"""For messages: the names by which a client may ask for a model."""

_OWN = ""  # the gateway's own model

DEFAULT_ALIASES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            DEFAULT_MODEL_NAME,
            "gpt-transcribe",
            "gpt-4o-transcribe",
            "gpt-4o-mini-transcribe",
            "gpt-4o-transcribe-diarize",
            "gpt-realtime-whisper",
            "gpt-live-transcribe",
            "whisper-large-v2",
            "whisper-large-v3",
            "whisper-large-v3-turbo",
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
        ),
        "paraformer",
    ),
}


# Kinds of names, whatever their case, owner ("Systran/…") and date: OpenAI's models that
# transcribe, Whisper's checkpoints, their sizes alone, and the recognisers' checkpoints.
_KINDS = (
    (re.compile(r"gpt-[a-z0-9-]*?transcribe(?:-\d{4}-\d\d-\d\d)?"), _OWN),
    (re.compile(r"(?:[a-z0-9.]+[-_])*whisper(?:[-_][a-z0-9.]+)*"), _OWN),
    (
        re.compile(
            r"(?:distil-|ggml-)?(?:tiny|base|small|medium|large(?:-v[123](?:\.5)?)?|turbo)"
            r"(?:-turbo)?(?:\.en)?"
        ),
        _OWN,
    ),
    (re.compile(r"sense-?voice(?:-?small)?"), "sensevoice"),
    (re.compile(r"(?:[a-z0-9.]+[-_])*paraformer(?:[-_][a-z0-9.]+)*"), "paraformer"),
)
_MOST_LETTERS = 200


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
        if target is None:
            target = _kind_of(name)
        return self._default if target == _OWN else target


def _kind_of(name: str) -> str | None:
    """Return what a name of a known kind means; None for another."""
    last = name.lower().rpartition("/")[2]
    if len(last) > _MOST_LETTERS or "streaming" in last or "online" in last:
        return None
    return next((target for kind, target in _KINDS if kind.fullmatch(last)), None)
