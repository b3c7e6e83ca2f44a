"""Finds whose windows are whose by a hidden Markov model of speakers and their voices.

Variational Bayes as in Landini et al., "Bayesian HMM clustering of x-vector sequences (VBx)"
(2022), with a voice of one spread in all directions, as embeddings that are compared by their
cosine have: each speaker is a direction that is known the better the more windows it has, the next
window is most probably of the same speaker, and a speaker whom nothing needs any more loses all
windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAME_COSINE = 0.6
"""Of two windows of one speaker, about; sets how far voices are spread."""
DIRECTIONS = 40
"""In which voices differ."""
TRUST = 0.25
"""In a window: less than 1, as neighbours overlap and share noise and words."""
SPARSITY = 2.5
"""How much it takes to be a speaker."""
STAYING = 0.9
"""Probability that the next window is the same speaker's."""

_ROUNDS, _SETTLED = 15, 1e-3
_LEAST_WINDOWS = 0.5  # of a speaker who is kept
_FIRST_CERTAINTY = np.exp(5.0)  # of the labels to begin with, against each other label


def resegment(
    means: NDArray[np.float32],
    members: NDArray[np.int64],
    labels: NDArray[np.int64],
    trust: float,
) -> NDArray[np.int64]:
    """Return the speaker of each window; some labels of the first guess may not be used.

    Args:
        means: [G, D], of length one, voices of groups of windows.
        members: int64 [N], the group of each window, in order of time.
        labels: int64 [N], a first guess with rather too many speakers.
        trust: in a window; the more, the more speakers are found.
    """
    count = int(labels.max()) + 1
    shares = np.ones((len(labels), count))
    shares[np.arange(len(labels)), labels] = _FIRST_CERTAINTY
    shares /= shares.sum(axis=1, keepdims=True)
    entries = np.full(count, 1 / count)
    for _ in range(_ROUNDS):
        needed = shares.sum(axis=0) > _LEAST_WINDOWS
        before, entries = shares[:, needed], entries[needed] / entries[needed].sum()
        likelihoods = _log_likelihoods(means, members, before, trust)
        shares, entered = _smoothed(likelihoods[members], entries)
        entries = np.maximum(entered, 1e-9)
        if np.abs(shares - before).max() < _SETTLED:
            break
    return np.asarray(shares.argmax(axis=1), np.int64)


def _log_likelihoods(
    means: NDArray[np.float32], members: NDArray[np.int64], shares: Floats, trust: float
) -> Floats:
    """Return how well each group fits each speaker, [G, S]; [eq. 16 to 23 of the paper]."""
    grouped = np.zeros((len(means), shares.shape[1]))
    np.add.at(grouped, members, shares)
    sums, sizes = grouped.T @ means, grouped.sum(axis=0)
    between = SAME_COSINE / (1 - SAME_COSINE)  # spread of speakers, where that of a voice is 1
    scale = DIRECTIONS * between / (1 - SAME_COSINE)
    ratio = trust / SPARSITY
    doubts = 1 / (1 + ratio * sizes * between)
    gains = ratio * doubts
    lengths = (sums**2).sum(axis=1)
    likelihoods = scale * gains * (means @ sums.T)
    likelihoods -= 0.5 * between * (DIRECTIONS * doubts + scale * gains**2 * lengths)
    return np.asarray(trust * likelihoods, np.float64)


def _smoothed(likelihoods: Floats, entries: Floats) -> tuple[Floats, Floats]:
    """Return the share of each speaker in each window, [N, S], and how often each begins, [S]."""
    count = len(likelihoods)
    weights = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))
    forward, backward = np.empty_like(weights), np.ones_like(weights)
    norms = np.empty(count)
    expected = entries
    for at in range(count):
        step = expected * weights[at]
        norms[at] = step.sum()
        forward[at] = step / norms[at]
        expected = STAYING * forward[at] + (1 - STAYING) * entries
    for at in range(count - 2, -1, -1):
        step = weights[at + 1] * backward[at + 1] / norms[at + 1]
        backward[at] = STAYING * step + (1 - STAYING) * (entries @ step)
    shares = forward * backward
    shares /= shares.sum(axis=1, keepdims=True)
    begun = (1 - STAYING) * entries * weights[1:] * backward[1:] / norms[1:, None]
    return shares, shares[0] + begun.sum(axis=0)
