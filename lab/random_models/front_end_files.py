"""`am.mvn` with made but plausible numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr_core.features import NUM_MEL_BINS


def cmvn_text(lfr_window: int = 7) -> str:
    """Return a Kaldi nnet file: shift and scale of `lfr_window` x 80 dimensions.

    They are the same for all stacked frames.

    The means rise from the low mel bins to a plateau and fall again in the highest, deviations
    are near 6.6: what log mel energies of 16-bit speech look like.
    """
    bins = np.arange(NUM_MEL_BINS)
    mean = 14.0 - 5.5 * np.exp(-bins / 4.0) + 0.9 * np.sin(bins / 9.0)
    mean -= 2.0 * np.exp((bins - (NUM_MEL_BINS - 1)) / 2.0)
    scale = 1.0 / (6.6 + 0.3 * np.cos(bins / 12.0))
    dim = NUM_MEL_BINS * lfr_window

    def vector(values: NDArray[np.float64]) -> str:
        return " ".join(f"{value:.6f}" for value in np.tile(values, lfr_window))

    return (
        f"<Nnet> \n<Splice> {dim} {dim}\n[ 0 ]\n"
        f"<AddShift> {dim} {dim} \n<LearnRateCoef> 0 [ {vector(-mean)} ]\n"
        f"<Rescale> {dim} {dim} \n<LearnRateCoef> 0 [ {vector(scale)} ]\n</Nnet> \n"
    )
