"""Sounds of a person who does not speak: breathing, and typing on a keyboard."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

from .augmentation import coloured_noise


def _resonance(hertz: float, width_hertz: float) -> tuple[list[float], list[float]]:
    """Coefficients (numerator, denominator) of one resonance."""
    radius = np.exp(-np.pi * width_hertz / SAMPLE_RATE)
    angle = 2 * np.pi * hertz / SAMPLE_RATE
    return [1 - radius], [1.0, -2 * radius * np.cos(angle), radius**2]


def breathing(rng: np.random.Generator, samples: int) -> Waveform:
    """Breath after breath through nose or mouth: noise with wide resonances that drift little.

    At times blown into the microphone (low rumble), snoring (pulses), or panting (fast).
    """
    waveform = np.zeros(samples, np.float32)
    period = rng.choice((rng.uniform(0.35, 0.9), rng.uniform(1.5, 5)))
    position = int(rng.uniform(0, 0.4 * period) * SAMPLE_RATE)
    is_nasal, has_rumble, snores = rng.random(3) < (0.4, 0.25, 0.12)
    tract = [(float(rng.uniform(*span)), float(rng.uniform(150, 900))) for span in (
        (250, 900), (900, 2200), (2000, 4500))]  # fmt: skip
    is_in = bool(rng.random() < 0.5)
    while position < samples:
        size = int(period * rng.uniform(0.25, 0.5) * SAMPLE_RATE) + 400
        breath = coloured_noise(rng, size, float(rng.uniform(-0.3, 1.0)))
        factor = rng.uniform(0.9, 1.1) * (1.15 if is_in else 1.0)
        shaped = 0.3 * breath
        for hertz, width in tract[: 2 if is_nasal else 3]:
            shaped = shaped + lfilter(*_resonance(hertz * factor, width), breath) * rng.uniform(
                1, 6
            )
        if snores and is_in:
            pulses = np.sin(2 * np.pi * rng.uniform(25, 60) * np.arange(size) / SAMPLE_RATE)
            shaped = shaped * np.clip(pulses, 0.05, 1) ** 2
        attack = rng.uniform(0.2, 0.7)
        shape = np.interp(np.linspace(0, 1, size), (0, attack, 1), (0, 1, 0)) ** rng.uniform(0.7, 2)
        breath = (shaped * shape * rng.uniform(0.4, 1) * (0.6 if is_in else 1)).astype(np.float32)
        end = min(samples, position + size)
        waveform[position:end] += breath[: end - position]
        position += size + int(period * rng.uniform(0.02, 0.35) * SAMPLE_RATE)
        is_in = not is_in
    if has_rumble:
        rumble = sosfilt(butter(2, 120, "lowpass", fs=SAMPLE_RATE, output="sos"), waveform)
        waveform = waveform + np.float32(6) * rumble.astype(np.float32)
    return waveform


def _key(rng: np.random.Generator, body_hertz: float, hardness: float) -> Waveform:
    """Press, bottom and release of one key: a click, a thud of the case, a softer click."""
    samples = int(0.25 * SAMPLE_RATE)
    sound = np.zeros(samples)
    release = int(rng.uniform(0.05, 0.14) * SAMPLE_RATE)
    for start, gain in ((0, 0.4), (int(rng.uniform(0.003, 0.02) * SAMPLE_RATE), 1.0),
                        (release, rng.uniform(0.2, 0.7))):  # fmt: skip
        size = int(rng.uniform(0.002, 0.012) * SAMPLE_RATE)
        sound[start : start + size] += gain * rng.standard_normal(size) * np.linspace(1, 0, size)
    bright = lfilter(*_resonance(float(rng.uniform(1800, 6500)), 900), sound) * hardness * 3
    case = lfilter(*_resonance(body_hertz * rng.uniform(0.9, 1.1), 120), sound) * 4
    return np.asarray(0.5 * sound + bright + case, np.float32)


def keyboard(rng: np.random.Generator, samples: int) -> Waveform:
    """Typing: keys one after the other, words with pauses between, over a quiet room."""
    waveform = 10 ** float(rng.uniform(-4, -2)) * coloured_noise(rng, samples, 1.0)
    body_hertz, hardness = float(rng.uniform(120, 700)), float(rng.uniform(0.2, 1.5))
    interval = rng.uniform(0.07, 0.3)
    position = int(rng.uniform(0, 0.3) * SAMPLE_RATE)
    while position < samples:
        is_space = rng.random() < 0.17
        key = _key(rng, body_hertz * (0.6 if is_space else 1), hardness) * np.float32(
            rng.uniform(0.4, 1)
        )
        end = min(samples, position + len(key))
        waveform[position:end] += key[: end - position]
        pause = rng.exponential(0.6) if is_space and rng.random() < 0.4 else 0.0
        position += int((interval * rng.uniform(0.5, 1.7) + pause) * SAMPLE_RATE)
    return waveform.astype(np.float32)
