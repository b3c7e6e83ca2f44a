"""Finds the speakers of windows: a first guess by SciPy's clustering, then who stays to whom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..speaker_count import SpeakerCount
from .resegmentation import TRUST, resegment
from .vectors import LEAST_NORM, of_length_one

FIRST_DISTANCE = 0.3
"""Clusters whose cosine distance is less, on the mean, are one in the first guess."""

MORE_TRUST = (0.35, 0.5, 0.8)
"""In a window, tried one after the other where fewer speakers are found than are told."""

MAX_FIRST = 40
"""Speakers of the first guess, which has rather too many."""

CLOSE_DISTANCE = 0.25
"""Windows that are so near are put together before the end of a long recording."""

SMALLEST_WINDOWS, SMALLEST_SHARE = 4, 0.02
"""Of a speaker, where the number of speakers is found: 2 s, and a share of all windows."""


def find_speakers(
    means: NDArray[np.float32], members: NDArray[np.int64], speakers: SpeakerCount
) -> NDArray[np.int64]:
    """Tell whose each window is.

    Args:
        means: [G, D], of length one, voices of groups of windows.
        members: int64 [N], the group of each window, in order of time.
        speakers: how many, or "auto" to find their number.

    Returns:
        int64 [N], numbers from 0, in the order in which the speakers are first heard.
    """
    if speakers == 1 or len(means) == 1:
        return np.zeros(len(members), np.int64)
    tree, windows = _tree(means), means[members]
    first = _cut(tree, FIRST_DISTANCE)
    if first.max() >= MAX_FIRST:
        first = _so_many(tree, MAX_FIRST)
    least = max(SMALLEST_WINDOWS, SMALLEST_SHARE * len(members))

    def found(trust: float) -> NDArray[np.int64]:
        labels = resegment(means, members, first[members], trust)
        return _in_order(_without_small(windows, labels, least))

    labels = found(TRUST)
    if speakers == "auto":
        return labels
    for trust in MORE_TRUST:
        if labels.max() + 1 < speakers:
            labels = found(trust)
    if labels.max() + 1 > speakers:
        return _in_order(_joined(windows, labels, int(speakers)))
    if labels.max() + 1 < speakers:
        return _in_order(_split(windows, members, tree, int(speakers)))
    return labels


def close_groups(vectors: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Group vectors that are close to each other.

    Args:
        vectors: [n, D], of length one.
        most: groups there may be.

    Returns:
        int64 [n], the number of each vector's group, in the order in which groups come first.
    """
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int64)
    tree = _tree(vectors)
    labels = _cut(tree, CLOSE_DISTANCE)
    if labels.max() >= most:
        labels = _so_many(tree, most)
    return _in_order(labels)


def _tree(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(vectors, "average", metric="cosine"))


def _cut(tree: NDArray[np.float64], distance: float) -> NDArray[np.int64]:
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(tree, distance, "distance"), np.int64) - 1


def _so_many(tree: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    from scipy.cluster.hierarchy import fcluster

    return np.asarray(fcluster(tree, count, "maxclust"), np.int64) - 1


def _split(
    windows: NDArray[np.float32],
    members: NDArray[np.int64],
    tree: NDArray[np.float64],
    count: int,
) -> NDArray[np.int64]:
    """Return a cut with this many clusters that are no stray windows, or as many as there are.

    The tree is cut ever lower until so many clusters are large enough; what is not large goes to
    the nearest that is.
    """
    least = max(SMALLEST_WINDOWS, SMALLEST_SHARE / 2 * len(members))
    for clusters in range(count, min(len(tree) + 1, 8 * count + 16) + 1):
        labels = _so_many(tree, clusters)[members]
        if int((np.bincount(labels) >= least).sum()) >= count:
            return _without_small(windows, labels, least)
    return _so_many(tree, count)[members]


def _joined(
    windows: NDArray[np.float32], labels: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Join speakers until there are this many, whichever two cost least (Ward 1963).

    So a few windows that look like nobody's go to somebody, rather than two who say much are one.
    """
    sums = [windows[labels == label].sum(axis=0) for label in range(int(labels.max()) + 1)]
    sizes = np.bincount(labels).tolist()
    while len(sums) > count:
        pairs = [(a, b) for b in range(len(sums)) for a in range(b)]
        kept, gone = min(pairs, key=lambda pair: _cost(sums, sizes, *pair))
        sums[kept] = sums[kept] + sums.pop(gone)
        sizes[kept] += sizes.pop(gone)
        labels = np.where(labels == gone, kept, labels - (labels > gone))
    return labels


def _cost(sums: list[NDArray[np.float32]], sizes: list[int], first: int, second: int) -> float:
    """Return what taking two speakers for one costs: how far they are, and how much they say."""
    one, other = sums[first], sums[second]
    norms = max(float(np.linalg.norm(one) * np.linalg.norm(other)), LEAST_NORM)
    weight = sizes[first] * sizes[second] / (sizes[first] + sizes[second])
    return weight * (1 - float(one @ other) / norms)


def _without_small(
    windows: NDArray[np.float32], labels: NDArray[np.int64], least: float
) -> NDArray[np.int64]:
    """Give the windows of clusters smaller than `least` to the nearest of the others."""
    sizes = np.bincount(labels)
    large = np.flatnonzero(sizes >= least)
    if not len(large):
        large = np.array([int(sizes.argmax())])
    centres = np.stack([_centre(windows[labels == label]) for label in large])
    stray = ~np.isin(labels, large)
    labels = labels.copy()
    if stray.any():
        labels[stray] = large[(windows[stray] @ centres.T).argmax(axis=1)]
    return labels


def _centre(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean direction of windows [n, D]."""
    return of_length_one(windows.sum(axis=0))


def _in_order(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return labels, numbered by where each comes first."""
    _, firsts, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(firsts), np.int64)
    rank[np.argsort(firsts)] = np.arange(len(firsts))
    return np.asarray(rank[inverse.reshape(-1)], np.int64)
