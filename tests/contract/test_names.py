"""Names of models and tensors against what the repositories serve, and what the package needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from asr_contract import (
    ALIGNER_MODEL,
    PARAFORMER_MODEL,
    PUNCTUATION_MODEL,
    PUNCTUATION_ONLINE_MODEL,
    SENSEVOICE_MODEL,
    SPEAKER_MODEL,
    STREAMING_MODEL,
    VAD_MODEL,
    tensors,
)

ROOT = Path(__file__).parents[2]
AUDIO = {tensors.WAV, tensors.WAV_LENS}
WORDS = {tensors.TRANSCRIPTS, tensors.TOKENS, tensors.TIMESTAMPS, tensors.CONFIDENCE}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (PARAFORMER_MODEL, {*AUDIO, *WORDS}),
        (
            SENSEVOICE_MODEL,
            {
                *AUDIO,
                *WORDS,
                tensors.LANGUAGE,
                tensors.TEXT_NORM,
                tensors.TEXT,
                tensors.DETECTED_LANGUAGE,
                tensors.EMOTION,
                tensors.EVENT,
            },
        ),
        (STREAMING_MODEL, {*AUDIO, *WORDS, tensors.TEXT, tensors.IS_FINAL}),
        (VAD_MODEL, {*AUDIO, tensors.SEGMENTS, tensors.IS_FINAL}),
        (SPEAKER_MODEL, {*AUDIO, tensors.EMBEDDING}),
        (ALIGNER_MODEL, {*AUDIO, tensors.WORDS, tensors.TIMESTAMPS}),
        (PUNCTUATION_MODEL, {tensors.TEXT}),
        (PUNCTUATION_ONLINE_MODEL, {tensors.TEXT, tensors.CACHE}),
    ],
)
def test_the_repositories_serve_these_names(model: str, expected: set[str]) -> None:
    (config,) = ROOT.glob(f"model_repo_*/{model}/config.pbtxt")
    named = set(re.findall(r'\bname:\s*"(\w+)"', config.read_text(encoding="utf-8")))
    assert expected <= named, f"{config.parent.name} lacks {expected - named}"


def test_the_package_needs_no_numpy() -> None:
    code = "import sys, asr_contract; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
