"""Finds the speakers of embeddings: SciPy's agglomerative clustering by the mean cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..speaker_count import SpeakerCount

JOIN_DISTANCE = 0.65
"""Clusters whose cosine distance is less, on the mean, are one speaker's."""

CLOSE_DISTANCE = 0.25
"""Windows that are so near are put together before the end of a long recording."""

SMALLEST_WINDOWS, SMALLEST_SHARE = 4, 0.02
"""Of a speaker, where the number of speakers is found: 2 s, and a share of all windows."""


def find_speakers(
    means: NDArray[np.float32], sizes: NDArray[np.int64], speakers: SpeakerCount
) -> NDArray[np.int64]:
    """Tell whose each group of windows is.

    Args:
        means: [G, D], of length one.
        sizes: [G], windows in each group.
        speakers: how many, or "auto" to find their number.

    Returns:
        int64 [G], numbers from 0, in the order in which the speakers are first heard.
    """
    if speakers == 1 or len(means) == 1:
        return np.zeros(len(means), np.int64)
    tree = _tree(means)
    if speakers == "auto":
        labels = _cut(tree, JOIN_DISTANCE)
        least = max(SMALLEST_WINDOWS, SMALLEST_SHARE * float(sizes.sum()))
        labels = _without_small(means, sizes, labels, least)
    else:
        labels = _so_many(means, sizes, tree, int(speakers))
    return _in_order(labels)


def close_groups(vectors: NDArray[np.float32], sizes: NDArray[Any], most: int) -> NDArray[np.int64]:
    """Group vectors of length one that are close to each other, into at most `most` groups."""
    from scipy.cluster.hierarchy import fcluster

    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int64)
    tree = _tree(vectors)
    labels = _cut(tree, CLOSE_DISTANCE)
    if labels.max() >= most:
        labels = np.asarray(fcluster(tree, most, "maxclust"), np.int64) - 1
    return _in_order(labels)


def _tree(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(vectors, "average", metric="cosine"))


def _cut(tree: NDArray[np.float64], distance: float) -> NDArray[np.int64]:
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(tree, distance, "distance"), np.int64) - 1


def _so_many(
    means: NDArray[np.float32], sizes: NDArray[np.int64], tree: NDArray[np.float64], count: int
) -> NDArray[np.int64]:
    """Return a cut with this many clusters that are no stray windows, or as many as there are.

    The tree is cut ever lower until so many clusters are large enough; what is not large goes to
    the nearest that is.
    """
    from scipy.cluster.hierarchy import fcluster

    least = max(SMALLEST_WINDOWS, SMALLEST_SHARE / 2 * float(sizes.sum()))
    for clusters in range(count, min(len(means), 8 * count + 16) + 1):
        labels = np.asarray(fcluster(tree, clusters, "maxclust"), np.int64) - 1
        if int((_weights(sizes, labels) >= least).sum()) >= count:
            return _without_small(means, sizes, labels, least)
    return np.asarray(fcluster(tree, count, "maxclust"), np.int64) - 1


def _without_small(
    means: NDArray[np.float32], sizes: NDArray[np.int64], labels: NDArray[np.int64], least: float
) -> NDArray[np.int64]:
    """Give the windows of clusters smaller than `least` to the nearest of the others."""
    weights = _weights(sizes, labels)
    large = np.flatnonzero(weights >= least)
    if not len(large):
        large = np.array([int(weights.argmax())])
    centres = np.stack(
        [(means[labels == label] * sizes[labels == label, None]).sum(axis=0) for label in large]
    )
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9)
    stray = ~np.isin(labels, large)
    labels = labels.copy()
    if stray.any():
        labels[stray] = large[(means[stray] @ centres.T).argmax(axis=1)]
    return labels


def _weights(sizes: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.bincount(labels, weights=sizes), np.float64)


def _in_order(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return labels, numbered by where each comes first."""
    _, firsts, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(firsts), np.int64)
    rank[np.argsort(firsts)] = np.arange(len(firsts))
    return np.asarray(rank[inverse.reshape(-1)], np.int64)
