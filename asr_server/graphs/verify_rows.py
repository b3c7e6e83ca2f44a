"""Compares rows of one length: prepared with original, alone with in a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Rows = Callable[[NDArray[np.float32]], NDArray[Any]]
"""A graph: rows [B, T, D] to what it gives of each [B, ...]."""
Found = TypeVar("Found")
Compare = Callable[[str, NDArray[Any], NDArray[Any], Found], None]
"""Takes a description, what was expected, what came, and figures to count into."""


def compare_rows(
    rows: NDArray[np.float32],
    original: Rows,
    prepared: Rows,
    compare: Compare[Found],
    against: Found,
    independence: Found,
) -> None:
    """Compare each row's answer with the original's, and with that in a batch of all.

    Args:
        rows: [B, T, D]; one is loud, so that a neighbour would be heard.
        original: FunASR's graph, which is asked row by row.
        prepared: the graph to prove.
        compare: raises `PrepareError` where two differ.
        against: figures of the comparison with the original.
        independence: figures of the comparison with the batch.
    """
    together = prepared(rows)
    for row, in_batch in zip(rows, together, strict=True):
        what = f"row of {len(row)} frames"
        alone = prepared(row[None])[0]
        compare(f"{what}, prepared against original", original(row[None])[0], alone, against)
        compare(f"{what}, in a batch", alone, in_batch, independence)
