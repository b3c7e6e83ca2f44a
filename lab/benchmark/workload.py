"""Recordings to measure with: lengths like a read-speech corpus, audio from given files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

# AISHELL-1's test set: about 5 s on average, 1 to 15 s.
MEDIAN_SECONDS = 4.7
LOG_SPREAD = 0.38
SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 15.0

Recording = NDArray[np.float32]


def make_recordings(sources: Sequence[Path], count: int, seed: int = 0) -> list[Recording]:
    """Cut `count` recordings of log-normally distributed length out of the joined sources.

    Args:
        sources: 16 kHz mono files.
        count: how many.
        seed: of the lengths and places.

    Returns:
        float32 arrays in [-1, 1].

    Raises:
        ValueError: a source is not 16 kHz mono.
    """
    pieces = []
    for path in sources:
        samples, rate = soundfile.read(path, dtype="float32")
        if rate != SAMPLE_RATE or samples.ndim != 1:
            raise ValueError(f"{path}: expected 16 kHz mono, got {rate} Hz, shape {samples.shape}")
        pieces.append(samples)
    material = np.concatenate(pieces)
    rng = np.random.default_rng(seed)
    seconds = np.exp(rng.normal(np.log(MEDIAN_SECONDS), LOG_SPREAD, count))
    lengths = (seconds.clip(SHORTEST_SECONDS, LONGEST_SECONDS) * SAMPLE_RATE).astype(int)
    starts = rng.integers(0, len(material), count)
    indices = (np.arange(length) + start for start, length in zip(starts, lengths, strict=True))
    return [material.take(index, mode="wrap") for index in indices]


def total_seconds(recordings: Sequence[Recording]) -> float:
    """Return the seconds of audio in all recordings."""
    return sum(map(len, recordings)) / SAMPLE_RATE
