"""The held-out recordings that come with the tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import soundfile

from asr_contract import SAMPLE_RATE
from lab.benchmark.workload import Recording


@dataclass(frozen=True)
class HeldOut:
    """A recording at 16 kHz, its language and what is said in it; nothing if it is no speech."""

    samples: Recording
    language: str
    text: str


def read_held_out(folder: Path) -> list[HeldOut]:
    """Read the recordings that a `manifest.tsv` names: file, language, text.

    Raises:
        ValueError: one has another rate.
    """
    lines = (folder / "manifest.tsv").read_text(encoding="utf-8").splitlines()[1:]
    recordings = []
    for name, language, text in (line.split("\t") for line in lines):
        samples, rate = soundfile.read(folder / name, dtype="float32")
        if rate != SAMPLE_RATE:
            raise ValueError(f"{folder / name}: expected {SAMPLE_RATE} Hz; got {rate}")
        recordings.append(HeldOut(samples, language, text))
    return recordings
