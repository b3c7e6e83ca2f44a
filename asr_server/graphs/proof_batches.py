"""The batches in which the proofs run their rows: together, shuffled, beside noise and NaN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Deviation of noise in padding; what is padded has a deviation of one, or of a few.
GARBAGE = 30.0


def shuffled_batches(count: int, extra: int) -> Iterator[tuple[list[int], int, float]]:
    """Yield batches in which every row comes three times, in shuffled orders.

    First all rows are together, then five with noise behind each, then three with NaN.

    Args:
        count: of the rows.
        extra: padding beyond the longest row of a batch, where it is noise.

    Yields:
        The numbers of the rows, the padding beyond the longest, and its deviation.
    """
    rng = np.random.default_rng(1)
    for size, padding, deviation in ((count, 0, 0.0), (5, extra, GARBAGE), (3, 1, float("nan"))):
        order = rng.permutation(count)
        for start in range(0, count, size):
            yield order[start : start + size].tolist(), padding, deviation
