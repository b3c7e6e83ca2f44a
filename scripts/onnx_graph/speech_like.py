"""Made features that look like speech to a model: bursts and pauses, smooth in time and frequency.

Random numbers alone are a poor test of an acoustic model: their frames share nothing, while real
LFR frames overlap by a tenth and pauses decide where CIF fires.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr_core.lfr import LFR_SHIFT, LFR_WINDOW

NUM_MEL_BINS = 80
FEATURE_DIM = NUM_MEL_BINS * LFR_WINDOW

_BURST_FRAMES = (15, 80)  # 10 ms each: a syllable to a short phrase
_PAUSE_FRAMES = (5, 30)
_PAUSE_LEVEL = -1.6  # pauses lie this many deviations below the mean of the training data


def speech_like_features(rng: np.random.Generator, num_frames: int) -> NDArray[np.float32]:
    """Make normalised LFR features, float32 [num_frames, 560], about zero mean and unit variance.

    Args:
        rng: source of randomness.
        num_frames: LFR frames of 60 ms.
    """
    length = num_frames * LFR_SHIFT + LFR_WINDOW
    # A spectral envelope that wanders: white noise smoothed over 7 bins and about 80 ms.
    envelope = rng.standard_normal((length + 16, NUM_MEL_BINS + 6))
    envelope = _moving_sum(_moving_sum(envelope, 8, axis=0)[:length], 7, axis=1)
    envelope /= envelope.std() + 1e-9
    level = np.empty((length, 1))
    position, speaking = 0, bool(rng.integers(2))
    while position < length:
        low, high = _BURST_FRAMES if speaking else _PAUSE_FRAMES
        end = position + int(rng.integers(low, high))
        level[position:end] = 0.4 * rng.standard_normal() + (0.5 if speaking else _PAUSE_LEVEL)
        position, speaking = end, not speaking
    fine = 0.4 * rng.standard_normal((length, NUM_MEL_BINS))
    mels = np.where(level > -1.0, 0.8, 0.2) * envelope + level + fine
    rows = np.arange(num_frames)[:, None] * LFR_SHIFT + np.arange(LFR_WINDOW)
    features: NDArray[np.float32] = mels[rows].reshape(num_frames, FEATURE_DIM).astype(np.float32)
    return features


def _moving_sum(values: NDArray[np.float64], width: int, axis: int) -> NDArray[np.float64]:
    """Sum of `width` neighbours along `axis`, which becomes `width - 1` shorter."""
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=axis)
    summed: NDArray[np.float64] = windows.sum(axis=-1)
    return summed
