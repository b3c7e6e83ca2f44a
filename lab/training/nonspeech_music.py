"""Music without singing: plucked and struck strings, organs, synthesisers, drums, in bars."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import fftconvolve, lfilter

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

from .augmentation import coloured_noise

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10), (0, 2, 4, 7, 9))
CHORDS = ((0, 2, 4), (3, 5, 7), (4, 6, 8), (5, 7, 9), (1, 3, 5))
"""Steps of the scale."""


def _hertz(note: float) -> float:
    """Frequency of a MIDI note number."""
    return float(440 * 2 ** ((note - 69) / 12))


def _pluck(rng: np.random.Generator, hertz: float, samples: int) -> Waveform:
    """A string by Karplus and Strong, 1983: a burst that circulates and is averaged."""
    period = max(2, round(SAMPLE_RATE / hertz))
    burst = np.zeros(samples)
    burst[:period] = rng.uniform(-1, 1, min(period, samples))[: len(burst[:period])]
    loss = float(rng.uniform(0.985, 0.999)) / 2
    feedback = np.zeros(period + 2)
    feedback[0], feedback[period], feedback[period + 1] = 1.0, -loss, -loss
    return np.asarray(lfilter([1.0], feedback, burst), np.float32)


def _steady(rng: np.random.Generator, hertz: float, samples: int) -> Waveform:
    """An organ, flute or synthesiser: harmonics with a slow rise and, at times, vibrato."""
    time = np.arange(samples) / SAMPLE_RATE
    depth = rng.choice((0.0, rng.uniform(0.001, 0.012)))
    wobble = depth * np.sin(2 * np.pi * rng.uniform(4, 7) * time)
    phase = 2 * np.pi * np.cumsum(hertz * (1 + wobble)) / SAMPLE_RATE
    fall, odd_only = rng.uniform(0.4, 2.5), rng.random() < 0.3
    tone = np.zeros(samples)
    for harmonic in range(1, min(16, int(7500 / hertz) + 1)):
        if not (odd_only and harmonic % 2 == 0):
            tone += np.sin(harmonic * phase + rng.uniform(0, 6.3)) / harmonic**fall
    edge = np.minimum(1, np.minimum(time, time[::-1]) / rng.uniform(0.005, 0.15))
    return (tone * edge).astype(np.float32)


def _struck(rng: np.random.Generator, hertz: float, samples: int) -> Waveform:
    """A piano, bell or marimba: partials, at times inharmonic, each with a decay of its own."""
    time = np.arange(samples) / SAMPLE_RATE
    stretch, decay = rng.choice((1.0, 1.003, rng.uniform(1.2, 1.6))), rng.uniform(1, 8)
    tone = np.zeros(samples)
    for partial in range(1, 10):
        partial_hertz = hertz * partial**stretch
        if partial_hertz < 7500:
            fading = np.exp(-decay * partial**0.5 * time)
            tone += (
                np.sin(2 * np.pi * partial_hertz * time) * fading * rng.uniform(0.1, 1) / partial
            )
    return tone.astype(np.float32)


INSTRUMENTS: tuple[Callable[[np.random.Generator, float, int], Waveform], ...] = (
    _pluck,
    _steady,
    _struck,
)


def _drum(rng: np.random.Generator, low: float) -> Waveform:
    """A bass drum (low 1) or a cymbal (low 0), or what lies between."""
    samples = int(rng.uniform(0.05, 0.3) * SAMPLE_RATE)
    time = np.arange(samples) / SAMPLE_RATE
    skin = np.sin(2 * np.pi * np.cumsum(50 + 120 * np.exp(-30 * time)) / SAMPLE_RATE)
    rattle = coloured_noise(rng, samples, float(rng.uniform(-1, 0.5)))
    return ((low * skin + (1 - low) * 0.4 * rattle) * np.exp(-time * 15)).astype(np.float32)


def _add(waveform: Waveform, start: int, sound: Waveform, gain: float) -> None:
    end = min(len(waveform), start + len(sound))
    if end > start:
        waveform[start:end] += np.float32(gain) * sound[: end - start]


def music(rng: np.random.Generator, samples: int) -> Waveform:
    """Bars of a random tempo and key: any of melody, chords, bass and drums, in a room."""
    waveform = np.zeros(samples, np.float32)
    beat = int(SAMPLE_RATE * 60 / rng.uniform(55, 190))
    root, scale = int(rng.integers(40, 60)), SCALES[rng.integers(len(SCALES))]
    lead, backing = (INSTRUMENTS[rng.integers(len(INSTRUMENTS))] for _ in range(2))
    has_melody, has_chords, has_bass, has_drums = rng.random(4) < (0.8, 0.6, 0.4, 0.4)
    has_melody |= not (has_chords or has_bass or has_drums)

    def hertz(step: int, octave: int) -> float:
        return _hertz(root + 12 * (octave + step // len(scale)) + scale[step % len(scale)])

    step = int(rng.integers(0, 7))
    for number, start in enumerate(range(0, samples, beat)):
        if number % 4 == 0:
            chord = CHORDS[rng.integers(len(CHORDS))]
            for tone in chord if has_chords else ():
                _add(waveform, start, backing(rng, hertz(tone, 0), 4 * beat), 0.3)
        if has_bass:
            _add(waveform, start, _pluck(rng, hertz(chord[0], -1), beat), 0.5)
        if has_drums:
            _add(waveform, start, _drum(rng, 1.0 - number % 2), 0.6)
            _add(waveform, start + beat // 2, _drum(rng, 0.0), 0.3)
        for part in range(int(rng.integers(1, 4)) if has_melody else 0):
            step = int(np.clip(step + rng.integers(-3, 4), -3, 14))
            size = int(beat * rng.uniform(0.3, 1.2))
            _add(waveform, start + part * beat // 3, lead(rng, hertz(step, 1), size), 0.5)
    if rng.random() < 0.6:
        tail = int(rng.uniform(0.1, 0.8) * SAMPLE_RATE)
        room = rng.standard_normal(tail) * np.exp(-6 * np.arange(tail) / tail) * 0.05
        waveform = waveform + fftconvolve(waveform, room)[:samples].astype(np.float32)
    return waveform
