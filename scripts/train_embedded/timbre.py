"""Other timbres for stored filter banks: a random equaliser, and bands without information.

Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
2019, for the bands; time is not masked, for the words are short.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .fbank import MEL_BINS

Features = npt.NDArray[np.float32]

KNOTS = 6
DEVIATION = 0.6
"""Of the gains at the knots, in nepers of power; 2.6 dB."""
WIDEST_BAND = 12


def equalise(rng: np.random.Generator, fbank: Features) -> Features:
    """Log mel energies [frames, 80] through a smooth random equaliser."""
    gains = rng.normal(0.0, DEVIATION, KNOTS)
    curve = np.interp(np.linspace(0, KNOTS - 1, MEL_BINS), np.arange(KNOTS), gains)
    return fbank + curve.astype(np.float32)


def mask_band(rng: np.random.Generator, fbank: Features) -> Features:
    """Log mel energies [frames, 80] with one or two bands at their mean all the time."""
    masked = fbank.copy()
    for _ in range(int(rng.integers(1, 3))):
        width = int(rng.integers(2, WIDEST_BAND + 1))
        first = int(rng.integers(0, MEL_BINS - width + 1))
        masked[:, first : first + width] = fbank[:, first : first + width].mean(0)
    return masked
