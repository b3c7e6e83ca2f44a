"""Makes clean synthetic speech sound recorded: margins, equaliser, room, band, noise, level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

_FILTER_TAIL = 4096


def _fast_size(samples: int) -> int:
    """The next multiple of an eighth of a power of two: a transform of prime size is slow."""
    step = 1 << max(0, samples.bit_length() - 4)
    return -(-samples // step) * step


def coloured_noise(rng: np.random.Generator, samples: int, exponent: float) -> Waveform:
    """Noise of unit power whose power falls as frequency**-exponent (0 white, 1 pink, 2 brown)."""
    size = _fast_size(samples)
    spectrum = np.fft.rfft(rng.standard_normal(samples), size)
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    gain = np.maximum(frequency, 20.0) ** (-exponent / 2)
    shaped = np.fft.irfft(spectrum * gain, size)[:samples]
    return np.asarray(shaped / (np.std(shaped) + 1e-12), np.float32)


def random_noise(rng: np.random.Generator, samples: int) -> Waveform:
    """Noise of unit power: any colour, at times band-limited, humming or swelling."""
    noise = coloured_noise(rng, samples, float(rng.uniform(-0.7, 2.2)))
    kind = rng.random()
    if kind < 0.15:
        noise = noise + 0.7 * hum(rng, samples)
    elif kind < 0.35:
        noise = noise * swell(rng, samples)
    elif kind < 0.5:
        noise = peaking_filter(noise, float(rng.uniform(200, 5000)), 12.0, 1.0)
    return np.asarray(noise / (np.std(noise) + 1e-12), np.float32)


def hum(rng: np.random.Generator, samples: int) -> Waveform:
    """Mains hum of unit power: 50 or 60 Hz with decaying harmonics."""
    time = np.arange(samples) / SAMPLE_RATE
    base = float(rng.choice((50.0, 60.0))) * float(rng.uniform(0.99, 1.01))
    decay = float(rng.uniform(0.4, 1.5))
    total = sum(
        np.sin(2 * np.pi * base * k * time + rng.uniform(0, 6.3)) * rng.uniform(0.3, 1) / k**decay
        for k in range(1, int(rng.integers(2, 14)))
    )
    return np.asarray(total / (np.std(total) + 1e-12), np.float32)


def swell(rng: np.random.Generator, samples: int) -> Waveform:
    """A slowly varying positive gain, shape [samples]."""
    knots = max(2, int(samples / SAMPLE_RATE * rng.uniform(0.5, 6)) + 2)
    levels = 10 ** (rng.uniform(-25, 0, knots) / 20)
    curve = np.interp(np.linspace(0, knots - 1, samples), np.arange(knots), levels)
    return np.asarray(curve, np.float32)


def peaking_filter(waveform: Waveform, frequency: float, gain_db: float, q: float) -> Waveform:
    """Second-order peaking equaliser (Bristow-Johnson's audio EQ cookbook)."""
    amplitude = 10 ** (gain_db / 40)
    omega = 2 * np.pi * frequency / SAMPLE_RATE
    alpha = np.sin(omega) / (2 * q)
    numerator = [1 + alpha * amplitude, -2 * np.cos(omega), 1 - alpha * amplitude]
    denominator = [1 + alpha / amplitude, -2 * np.cos(omega), 1 - alpha / amplitude]
    return _apply_filter(waveform, numerator, denominator)


def tilt(waveform: Waveform, coefficient: float) -> Waveform:
    """First-order tilt; a positive coefficient brightens, a negative one darkens."""
    if coefficient >= 0:
        return _apply_filter(waveform, [1.0, -coefficient], [1.0])
    return _apply_filter(waveform, [1.0 + coefficient], [1.0, coefficient])


def _apply_filter(waveform: Waveform, numerator: list[float], denominator: list[float]) -> Waveform:
    """A stable digital filter, through its frequency response."""
    size = _fast_size(len(waveform) + _FILTER_TAIL)
    response = np.fft.rfft(numerator, size) / np.fft.rfft(denominator, size)
    filtered = np.fft.irfft(np.fft.rfft(waveform, size) * response, size)[: len(waveform)]
    return np.asarray(filtered, np.float32)


def _convolve(waveform: Waveform, response: npt.NDArray[np.float64]) -> Waveform:
    """Convolution cut to the waveform's length."""
    size = _fast_size(len(waveform) + len(response))
    spectrum = np.fft.rfft(waveform, size) * np.fft.rfft(response, size)
    return np.asarray(np.fft.irfft(spectrum, size)[: len(waveform)], np.float32)


def reverberate(rng: np.random.Generator, waveform: Waveform) -> Waveform:
    """A synthetic room: exponentially decaying noise of 60-450 ms mixed with the direct sound."""
    decay_s = float(rng.uniform(0.06, 0.45))
    size = int(decay_s * SAMPLE_RATE)
    response = rng.standard_normal(size) * np.exp(-6.9 * np.arange(size) / size)
    response[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE)] = 0
    response *= float(rng.uniform(0.1, 0.6)) / (np.sqrt((response**2).sum()) + 1e-9)
    response[0] = 1.0
    return _convolve(waveform, response)


def telephone_band(waveform: Waveform) -> Waveform:
    """Roughly 300-3400 Hz, by zeroing the spectrum outside with soft edges."""
    size = _fast_size(len(waveform))
    spectrum = np.fft.rfft(waveform, size)
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    gain = np.clip((frequency - 200) / 150, 0, 1) * np.clip((3700 - frequency) / 300, 0, 1)
    limited = np.fft.irfft(spectrum * np.maximum(gain, 1e-3), size)[: len(waveform)]
    return np.asarray(limited, np.float32)


def active_power(waveform: Waveform) -> float:
    """Mean power of the louder 20 ms frames (those within 30 dB of the loudest)."""
    frames = waveform[: len(waveform) // 320 * 320].reshape(-1, 320)
    if len(frames) == 0:
        return float(np.mean(waveform**2) + 1e-12)
    power = (frames**2).mean(1)
    return float(power[power >= power.max() * 1e-3].mean() + 1e-12)


def add_noise(waveform: Waveform, noise: Waveform, snr_db: float) -> Waveform:
    """Adds unit-power noise at `snr_db` relative to the speech's active power."""
    scale = np.sqrt(active_power(waveform) / 10 ** (snr_db / 10))
    return waveform + np.float32(scale) * noise


def set_peak(waveform: Waveform, peak_db: float) -> Waveform:
    """Scales to a peak in dB relative to full scale."""
    gain = 10 ** (peak_db / 20) / (np.abs(waveform).max() + 1e-9)
    return np.asarray(waveform * gain, np.float32)


def augment(rng: np.random.Generator, waveform: Waveform) -> Waveform:
    """Training augmentation of one 16 kHz utterance that already has its margins."""
    if rng.random() < 0.4:
        waveform = tilt(waveform, float(rng.uniform(-0.5, 0.7)))
    if rng.random() < 0.4:
        waveform = peaking_filter(
            waveform, float(rng.uniform(200, 6000)), float(rng.uniform(-10, 10)), 0.9
        )
    if rng.random() < 0.4:
        waveform = reverberate(rng, waveform)
    if rng.random() < 0.85:
        noise = random_noise(rng, len(waveform))
        waveform = add_noise(waveform, noise, float(rng.uniform(6, 30)))
    if rng.random() < 0.1:
        waveform = telephone_band(waveform)
    waveform = set_peak(waveform, float(rng.uniform(-30, -0.5)))
    if rng.random() < 0.5:
        level = 10 ** rng.uniform(-5.2, -3.5)
        waveform = waveform + (level * rng.standard_normal(len(waveform))).astype(np.float32)
    return to_int16_grid(waveform)


def degrade_for_test(rng: np.random.Generator, waveform: Waveform) -> Waveform:
    """The held-out sets' noisy condition: equaliser, room, noise at 10-20 dB SNR."""
    if rng.random() < 0.5:
        waveform = tilt(waveform, float(rng.uniform(-0.4, 0.6)))
    if rng.random() < 0.5:
        waveform = reverberate(rng, waveform)
    noise = random_noise(rng, len(waveform))
    waveform = add_noise(waveform, noise, float(rng.uniform(10, 20)))
    return to_int16_grid(set_peak(waveform, float(rng.uniform(-20, -1))))


def to_int16_grid(waveform: Waveform) -> Waveform:
    """Rounds to 16-bit steps, as a recording would be."""
    steps = np.clip(np.round(waveform * 32768), -32768, 32767)
    return np.asarray(steps / 32768, np.float32)
