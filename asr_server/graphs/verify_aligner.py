"""Proves that a prepared aligner gives the original's weights, in any batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_core.text import CIF_UPSAMPLING
from asr_server.graphs.comparison import TOLERANCE, largest
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.figures import Figures
from asr_server.graphs.session import Session
from asr_server.graphs.speech_like import speech_like_features
from asr_server.graphs.verify_rows import compare_rows

_LENGTHS = (1, 2, 40, 83, 250)  # LFR frames; 250 are 15 s
_ROWS = 4  # of each length


@dataclass
class WeightFigures(Figures):
    """Largest deviations of CIF weights, which are between 0 and 1."""

    max_weight_difference: float = 0.0


def prove_aligner(source: Path, work: Path, threads: int, optimise: bool) -> dict[str, float]:
    """Compare a prepared aligner with the original, and rows alone with rows in batches.

    Args:
        source: the original.
        work: the prepared one.
        threads: CPU threads.
        optimise: False compares the graphs as written.

    Returns:
        Largest deviations and counts.

    Raises:
        PrepareError: they differ, a row depends on its neighbours, or a frame has not its three
            weights.
    """
    original = Session(source, threads, optimise)
    model = Session(work, threads, optimise)
    against, independence = WeightFigures(), WeightFigures()
    rng = np.random.default_rng(0)
    for frames in _LENGTHS:
        rows = np.stack([speech_like_features(rng, frames) for _ in range(_ROWS)])
        rows[-1] *= 5.0  # a neighbour that is loud
        compare_rows(
            rows,
            lambda batch: original({"speech": batch})["us_alphas"],
            lambda batch: _weights(model, batch),
            _compare,
            against,
            independence,
        )
    return {**against.as_dict("original"), **independence.as_dict("independence")}


def _weights(model: Session, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    weights: NDArray[np.float32] = model({"speech": rows})["us_alphas"]
    expected = (len(rows), rows.shape[1] * CIF_UPSAMPLING)
    if weights.shape != expected:
        raise PrepareError(
            f"rows of {rows.shape[1]} frames: expected us_alphas {list(expected)}; got "
            f"{list(weights.shape)}"
        )
    return weights


def _compare(
    what: str, expected: NDArray[np.float32], got: NDArray[np.float32], figures: WeightFigures
) -> None:
    figures.rows += 1
    difference = largest(expected - got)
    figures.max_weight_difference = max(figures.max_weight_difference, difference)
    if not difference <= TOLERANCE:
        raise PrepareError(f"{what}: us_alphas differ by {difference:.2g}")
