"""Made features that look like speech to a model: bursts and pauses, smooth in time and frequency.

Random numbers alone are a poor test of an acoustic model: their frames share nothing, while real
LFR frames overlap by a tenth and pauses decide where CIF fires.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr_core.features import LFR_SHIFT, LFR_WINDOW, NUM_MEL_BINS

_BURST_FRAMES = (15, 80)  # 10 ms each: a syllable to a short phrase
_PAUSE_FRAMES = (5, 30)
_PAUSE_LEVEL = -1.6  # pauses lie this many deviations below the mean of the training data


def speech_like_features(
    rng: np.random.Generator, num_frames: int, window: int = LFR_WINDOW, shift: int = LFR_SHIFT
) -> NDArray[np.float32]:
    """Make normalised LFR features, about zero mean and unit variance.

    Args:
        rng: source of randomness.
        num_frames: LFR frames, of 60 ms by default.
        window: fbank frames in one.
        shift: fbank frames from one to the next.

    Returns:
        float32 [num_frames, window * 80].
    """
    length = num_frames * shift + window
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
    rows = np.arange(num_frames)[:, None] * shift + np.arange(window)
    features: NDArray[np.float32] = mels[rows].reshape(num_frames, -1).astype(np.float32)
    return features


def _moving_sum(values: NDArray[np.float64], width: int, axis: int) -> NDArray[np.float64]:
    """Return the sum of `width` neighbours along `axis`, which becomes `width - 1` shorter."""
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=axis)
    summed: NDArray[np.float64] = windows.sum(axis=-1)
    return summed
