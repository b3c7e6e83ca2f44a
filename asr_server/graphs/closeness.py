"""How far a graph in int8 or float16 is from its float32 original, by the original's own scores.

Counting equal tokens fits neither few tokens nor models whose best two tokens lie close together:
there a rounding changes tokens of a sound graph. A token that the original gave almost as much to
costs almost nothing here, and a token that it gave no more to than to any other costs a whole
error, so that a graph that computes something else comes out near 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr_server.graphs.session import Outputs

Float = NDArray[np.float64]


def soft_error_rate(expected: Sequence[Outputs | None], got: Sequence[Outputs | None]) -> float:
    """Return the errors a step that another graph makes by the original's scores, 0 to 1.

    Both may fire tokens in other steps: the cheapest alignment counts, in which a step without a
    partner costs one.

    Args:
        expected: of the original, with `log_probs` [T, V]; None where it fails.
        got: of the other graph, with `token_ids` [T'].
    """
    errors, steps = 0.0, 0
    for first, second in zip(expected, got, strict=True):
        if first is None or second is None:
            continue
        costs = _costs(first["log_probs"], np.asarray(second["token_ids"]))
        errors += float(np.trace(costs)) if len(set(costs.shape)) == 1 else 0.0
        errors += _align(costs) if len(set(costs.shape)) != 1 else 0.0
        steps += max(costs.shape)
    return errors / max(steps, 1)


def _costs(log_probs: Float, token_ids: NDArray[np.int64]) -> Float:
    """Return what each token [T'] costs in each of the original's steps, [T, T'], 0 to 1.

    How far the original puts it below its best token, over how far it puts the mean token.
    """
    if not len(log_probs) or not len(token_ids):
        return np.zeros((len(log_probs), len(token_ids)))
    best = log_probs.max(axis=-1, keepdims=True)
    usual = best - log_probs.mean(axis=-1, keepdims=True)
    behind = best - log_probs[:, token_ids]
    costs: Float = np.minimum(behind / np.maximum(usual, 1e-9), 1.0)
    return costs


def _align(costs: Float) -> float:
    """Return the cheapest alignment of rows and columns in order; one without a partner costs 1."""
    previous = np.arange(costs.shape[1] + 1, dtype=np.float64)
    for row in costs:
        skipped = np.minimum(previous[1:] + 1, previous[:-1] + row)
        current = np.empty_like(previous)
        current[0] = previous[0] + 1
        for column, cost in enumerate(skipped, start=1):
            current[column] = min(cost, current[column - 1] + 1)
        previous = current
    return float(previous[-1])
