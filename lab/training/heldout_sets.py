"""Held-out sets as FLAC files with a manifest, made once from a seed and then kept."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

from .heldout import held_out_utterances
from .nonspeech import KINDS, nonspeech_clip

TEST_SEED = 2
NONSPEECH_CLIPS = 100
UTTERANCES = {"zh": 520, "en": 130, "yue": 130, "ja": 130, "ko": 130}
ENGINE_UTTERANCES = 80
JOINED_SECONDS = 20.0


@dataclass(frozen=True)
class TestUtterance:
    """One utterance of a set, with its two versions on disk.

    record: language, voice, spoken, punctuated and written text, words with start in ms.
    """

    __test__ = False

    directory: Path
    index: int
    record: dict[str, Any]

    def waveform(self, condition: str) -> Waveform:
        """float32 [samples] at 16 kHz; condition is "clean" or "noisy"."""
        path = self.directory / f"{self.index:04d}_{condition}.flac"
        samples: Waveform = soundfile.read(path, dtype="float32")[0]
        return samples


def load_set(cache: Path, language: str, engine_voice: str | None = None) -> list[TestUtterance]:
    """The held-out utterances of `language`, synthesised when the cache lacks them.

    engine_voice: as for `held_out_utterances`.
    """
    count = UTTERANCES[language] if engine_voice is None else ENGINE_UTTERANCES
    name = language if engine_voice is None else f"{language}_{engine_voice.replace(':', '_')}"
    directory = cache / f"{name}_{count}_seed{TEST_SEED}"
    manifest = directory / "manifest.jsonl"
    if not manifest.exists():
        directory.mkdir(parents=True, exist_ok=True)
        lines = []
        for index, utterance in enumerate(
            held_out_utterances(language, count, TEST_SEED, engine_voice)
        ):
            fields = ("language", "voice", "spoken", "punctuated", "written", "words")
            record = {field: getattr(utterance, field) for field in fields}
            lines.append(json.dumps(record, ensure_ascii=False))
            for condition in ("clean", "noisy"):
                path = directory / f"{index:04d}_{condition}.flac"
                soundfile.write(path, getattr(utterance, condition), SAMPLE_RATE, "PCM_16")
        partial = manifest.with_suffix(f".{os.getpid()}")
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        partial.rename(manifest)
    records = manifest.read_text(encoding="utf-8").splitlines()
    return [TestUtterance(directory, i, json.loads(line)) for i, line in enumerate(records)]


def nonspeech_set(count: int = NONSPEECH_CLIPS, seed: int = TEST_SEED) -> Iterator[Waveform]:
    """Clips of every kind in turn, 0.5-10 s."""
    rng = np.random.default_rng(seed + 1_000_000)
    kinds = list(KINDS)
    for index in range(count):
        yield nonspeech_clip(rng, kinds[index % len(kinds)], float(rng.uniform(0.5, 10)))


def joined_recordings(
    utterances: list[TestUtterance], condition: str, seconds: float = JOINED_SECONDS
) -> Iterator[tuple[Waveform, list[TestUtterance]]]:
    """Recordings of at least `seconds`, each made of whole utterances and pauses, in order."""
    rng = random.Random(TEST_SEED)
    parts: list[Waveform] = []
    members: list[TestUtterance] = []
    for utterance in utterances:
        if parts:
            parts.append(np.zeros(int(rng.uniform(0.05, 0.5) * SAMPLE_RATE), np.float32))
        parts.append(utterance.waveform(condition))
        members.append(utterance)
        if sum(map(len, parts)) >= seconds * SAMPLE_RATE:
            yield np.concatenate(parts), members
            parts, members = [], []
