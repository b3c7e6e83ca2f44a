"""The equal error rate of a speaker model: where false acceptances and rejections are as many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EqualError:
    """Over all pairs of embeddings.

    Attributes:
        rate: share of the pairs that are decided wrongly at the threshold, of either kind.
        threshold: the cosine from which two are said to be of one speaker.
    """

    rate: float
    threshold: float


def equal_error_rate(embeddings: NDArray[np.float32], speakers: NDArray[np.int64]) -> EqualError:
    """Compare all pairs by cosine.

    Args:
        embeddings: [N, D].
        speakers: [N], whose each is.
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), k=1)
    cosines = (unit @ unit.T)[first, second]
    same = speakers[first] == speakers[second]
    order = np.argsort(cosines)
    rejected = np.cumsum(same[order]) / same.sum()  # of one speaker, at this cosine or less
    accepted = 1 - np.cumsum(~same[order]) / (~same).sum()
    best = int(np.argmin(np.abs(rejected - accepted)))
    return EqualError(float(rejected[best] + accepted[best]) / 2, float(cosines[order[best]]))
