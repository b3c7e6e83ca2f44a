"""Clips without speech: silence, noise, tones, clicks, hum, music, breathing, keyboards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

from .augmentation import coloured_noise, hum, random_noise, set_peak, swell, to_int16_grid
from .nonspeech_body import breathing, keyboard
from .nonspeech_music import music


def silence(rng: np.random.Generator, samples: int) -> Waveform:
    """Digital zero, or dither of a step or two."""
    if rng.random() < 0.4:
        return np.zeros(samples, np.float32)
    level = 10 ** rng.uniform(-5.0, -3.3)
    return (level * rng.standard_normal(samples)).astype(np.float32)


def noise(rng: np.random.Generator, samples: int) -> Waveform:
    """Stationary or swelling noise of a random colour."""
    waveform = random_noise(rng, samples)
    return waveform * swell(rng, samples) if rng.random() < 0.3 else waveform


def noise_bursts(rng: np.random.Generator, samples: int) -> Waveform:
    """Noise switched on and off like footsteps, rustling or a door."""
    waveform = 0.01 * coloured_noise(rng, samples, 1.0)
    for _ in range(int(rng.integers(1, 8))):
        size = int(rng.uniform(0.02, 0.5) * SAMPLE_RATE)
        start = int(rng.integers(0, max(1, samples - size)))
        burst = coloured_noise(rng, size, float(rng.uniform(-0.5, 2)))
        burst = burst * np.exp(-np.arange(size) / size * rng.uniform(0, 8)).astype(np.float32)
        end = min(samples, start + size)
        waveform[start:end] += burst[: end - start] * np.float32(rng.uniform(0.2, 1))
    return waveform


def tones(rng: np.random.Generator, samples: int) -> Waveform:
    """Steady, swept, keyed or dual (telephone-key) tones."""
    time = np.arange(samples) / SAMPLE_RATE
    waveform = np.zeros(samples)
    for _ in range(int(rng.integers(1, 4))):
        start = float(10 ** rng.uniform(1.8, 3.85))
        end = start if rng.random() < 0.6 else float(10 ** rng.uniform(1.8, 3.85))
        phase = 2 * np.pi * np.cumsum(np.linspace(start, end, samples)) / SAMPLE_RATE
        waveform += np.sin(phase) * rng.uniform(0.2, 1)
    if rng.random() < 0.4:
        period = float(rng.uniform(0.1, 1.5))
        waveform *= (time % period) < period * rng.uniform(0.2, 0.8)
    if rng.random() < 0.2:
        waveform = np.sign(waveform) * np.abs(waveform) ** 0.3
    return waveform.astype(np.float32)


def clicks(rng: np.random.Generator, samples: int) -> Waveform:
    """Isolated clicks with a short ring."""
    waveform = 0.003 * rng.standard_normal(samples)
    for _ in range(int(rng.integers(1, 25))):
        size = int(rng.uniform(0.0005, 0.02) * SAMPLE_RATE) + 2
        start = int(rng.integers(0, max(1, samples - size)))
        ring = np.exp(-5 * np.arange(size) / size) * np.cos(np.arange(size) * rng.uniform(0.1, 3.0))
        end = min(samples, start + size)
        waveform[start:end] += ring[: end - start] * rng.uniform(0.1, 1)
    return waveform.astype(np.float32)


def mains_hum(rng: np.random.Generator, samples: int) -> Waveform:
    """Hum with a little noise."""
    return hum(rng, samples) + np.float32(rng.uniform(0, 0.3)) * random_noise(rng, samples)


KINDS: dict[str, Callable[[np.random.Generator, int], Waveform]] = {
    "silence": silence,
    "noise": noise,
    "noise_bursts": noise_bursts,
    "tones": tones,
    "clicks": clicks,
    "hum": mains_hum,
    "music": music,
    "breathing": breathing,
    "keyboard": keyboard,
}
SHARES = (0.08, 0.16, 0.10, 0.18, 0.10, 0.06, 0.16, 0.08, 0.08)
"""How often training draws each kind."""
WITH_FLOOR = ("tones", "clicks", "noise_bursts", "music", "breathing")
"""Kinds that are heard over noise in one clip of two."""


def nonspeech_clip(
    rng: np.random.Generator, kind: str | None = None, duration_s: float | None = None
) -> Waveform:
    """A float32 clip at 16 kHz of 0.2-12 s without speech; silence keeps its low level."""
    kind = kind or str(rng.choice(list(KINDS), p=SHARES))
    duration_s = duration_s or float(rng.choice((rng.uniform(0.2, 3), rng.uniform(2, 12))))
    samples = max(800, int(duration_s * SAMPLE_RATE))
    waveform = KINDS[kind](rng, samples)
    if kind == "silence":
        return to_int16_grid(waveform)
    if kind in WITH_FLOOR and rng.random() < 0.5:
        floor = coloured_noise(rng, samples, float(rng.uniform(-0.5, 2)))
        waveform = waveform + floor * np.float32(10 ** rng.uniform(-3, -0.7))
    return to_int16_grid(set_peak(waveform, float(rng.uniform(-55, -0.5))))
