"""Proves that a prepared speaker model gives the original's embeddings, in any batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr_server.graphs.comparison import TOLERANCE, largest
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.figures import Figures
from asr_server.graphs.session import Session
from asr_server.graphs.speech_like import speech_like_features
from asr_server.graphs.verify_rows import compare_rows

# 1.5 s are the file pipeline's windows; CAM++ pools stretches of 200 frames (after its stride of
# two, 100), which 200 fill, 201 exceed, and 650 repeat.
_LENGTHS = (20, 148, 199, 200, 201, 650)
_ROWS = 5  # of each length


@dataclass
class EmbeddingFigures(Figures):
    """Largest deviations of embeddings, as shares of their largest number.

    What is compared of them is their direction. Float32 in another order is seen in the fifth
    decimal: a batch takes other kernels than a row, and some 200 layers follow each other.
    """

    max_embedding_difference: float = 0.0


def prove_speaker(source: Path, work: Path, threads: int, optimise: bool) -> dict[str, float]:
    """Compare a prepared speaker model with the original, and rows alone with rows in batches.

    Args:
        source: the original.
        work: the prepared one.
        threads: CPU threads.
        optimise: False compares the graphs as written.

    Returns:
        Largest deviations and counts.

    Raises:
        PrepareError: they differ, or a row depends on its neighbours.
    """
    original = Session(source, threads, optimise)
    model = Session(work, threads, optimise)
    (name,) = original.input_shapes
    against, independence = EmbeddingFigures(), EmbeddingFigures()
    rng = np.random.default_rng(0)
    for frames in _LENGTHS:
        rows = np.stack([speech_like_features(rng, frames, 1, 1) for _ in range(_ROWS)])
        rows -= rows.mean(axis=1, keepdims=True)
        rows[-1] *= 5.0  # a neighbour that is loud
        compare_rows(
            rows,
            lambda batch: original({name: batch})["embedding"],
            lambda batch: model({"features": batch})["embedding"],
            _compare,
            against,
            independence,
        )
    return {**against.as_dict("original"), **independence.as_dict("independence")}


def _compare(
    what: str,
    expected: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    got: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    figures: EmbeddingFigures,
) -> None:
    figures.rows += 1
    difference = largest(expected - got) / max(largest(expected), 1e-6)
    figures.max_embedding_difference = max(figures.max_embedding_difference, difference)
    if not difference <= TOLERANCE:
        raise PrepareError(f"{what}: embeddings differ by {difference:.2g} of their size")
