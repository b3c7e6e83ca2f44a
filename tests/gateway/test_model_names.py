"""Names that clients have written into their code mean a model; others mean none."""

from __future__ import annotations

import time

import pytest

from asr_gateway.shared.model_names import ModelNames

OWN = (
    *("", "whisper-1", "WHISPER-1", "openai/whisper-1", "gpt-4o-mini-transcribe-2025-03-20"),
    *(
        "gpt-4o-transcribe",
        "GPT-4o-Transcribe",
        "gpt-transcribe",
        "Systran/faster-whisper-small.en",
    ),
    *("distil-whisper/distil-large-v3.5-ct2-whisper", "distil-whisper-large-v3-en", "large-v3"),
    *("mlx-community/whisper-large-v3-turbo", "base", "tiny.en", "large-v3-turbo", "turbo"),
    *("distil-whisper/distil-large-v3", "distil-large-v3.5", "ggml-base.en"),
    *("whisper_timestamped", "whisper.cpp-whisper-base"),
)
SENSEVOICE = (
    "sensevoice",
    "SenseVoice",
    "sensevoice-small",
    "iic/SenseVoiceSmall",
    "x/sense-voice",
)
PARAFORMER = (
    *("paraformer", "paraformer-zh", "funasr/paraformer-zh", "Paraformer-Large", "paraformer-en"),
    "iic/speech_paraformer-large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
    "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
)
NONE = (
    *("gpt-4o", "gpt-realtime", "tts-1", "whisperx2000y", "paraformer-zh-streaming", "nope", "/"),
    *("iic/speech_paraformer-large_asr_nat-zh-cn-16k-common-vocab8404-online", "whisper-1;x", "🎤"),
)


@pytest.mark.parametrize("own", ["sensevoice", "paraformer"])
def test_names_mean_models(own):
    names = ModelNames(own, {"whisper-large-v3": "paraformer"})
    assert {names.model(name) for name in OWN} == {own}
    assert {names.model(name) for name in SENSEVOICE} == {"sensevoice"}
    assert {names.model(name) for name in (*PARAFORMER, "whisper-large-v3")} == {"paraformer"}
    assert {names.model(name) for name in NONE} == {None}


def test_no_name_takes_long():
    names, begun_s = ModelNames("sensevoice", {}), time.process_time()
    for part in ("a_", "a-", "whisper-", "paraformer_", "a" * 50, "gpt-"):
        assert names.model(part * (10_000 // len(part)) + "!") is None
        names.model(part * (198 // len(part)) + "!")
    assert time.process_time() - begun_s < 2
