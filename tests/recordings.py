"""Recordings for the tests: the committed held-out set, cut, joined and scaled."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from asr_contract import SAMPLE_RATE
from lab.benchmark.held_out import read_held_out

HELDOUT = Path(__file__).parent / "data" / "heldout"


@cache
def heldout() -> tuple[tuple[str, str, np.ndarray], ...]:
    """(language, text, samples) of each held-out utterance; non-speech has no text."""
    return tuple((one.language, one.text, one.samples) for one in read_held_out(HELDOUT))


@cache
def material() -> np.ndarray:
    """All held-out speech in one piece."""
    return np.concatenate([samples for _, text, samples in heldout() if text])


def cut(seconds: float, start: float, gain: float = 1.0) -> np.ndarray:
    """A stretch of the material, from `start` seconds on, scaled."""
    begin = int(start * SAMPLE_RATE)
    piece = material().take(np.arange(begin, begin + int(seconds * SAMPLE_RATE)), mode="wrap")
    return np.clip(piece * np.float32(gain), -1, 1).astype(np.float32)


def mixed_lengths(count: int, shortest: float, longest: float, seed: int) -> list[np.ndarray]:
    """`count` recordings of different lengths, spread evenly and shuffled."""
    rng = np.random.default_rng(seed)
    return [
        cut(seconds, rng.uniform(0, 60))
        for seconds in rng.permutation(np.linspace(shortest, longest, count))
    ]
