"""Vocal tract length perturbation: filter banks as a shorter or longer throat would give them.

Jaitly and Hinton, "Vocal Tract Length Perturbation (VTLP) improves speech recognition", 2013;
here the mel axis itself is resampled, so that stored filter banks can be warped for each batch.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

MEL_BINS = 80
LOWEST_HZ, HIGHEST_HZ = 20.0, 8000.0
STEP = 0.02


def _mel(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log1p(hertz / 700.0)


@cache
def _warp_matrix(steps: int) -> npt.NDArray[np.float32]:
    """Interpolation weights [80, 80] from warped to original bins for factor 1 + STEP * steps."""
    factor = 1.0 + STEP * steps
    edges = _mel(np.array([LOWEST_HZ, HIGHEST_HZ]))
    width = (edges[1] - edges[0]) / (MEL_BINS + 1)
    centres = edges[0] + width * np.arange(1, MEL_BINS + 1)
    hertz = 700.0 * np.expm1(centres / 1127.0) / factor
    position = np.clip((_mel(hertz) - edges[0]) / width - 1, 0, MEL_BINS - 1)
    left = np.minimum(position.astype(int), MEL_BINS - 2)
    weights = np.zeros((MEL_BINS, MEL_BINS), np.float32)
    rows = np.arange(MEL_BINS)
    weights[left, rows] = 1 - (position - left)
    weights[left + 1, rows] += position - left
    return weights


def warp_formants(fbank: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    """Log mel energies [frames, 80] with frequencies multiplied by about `factor`."""
    warped = fbank @ _warp_matrix(round((factor - 1.0) / STEP))
    return np.asarray(warped, np.float32)
