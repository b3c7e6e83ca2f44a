"""CTC greedy search on token ids that the graph already reduced to the best per frame."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLANK_ID = 0


class CtcToken(NamedTuple):
    """One token of a CTC path.

    Attributes:
        token_id: id in the vocabulary.
        start_frame, end_frame: the frames [start, end) in which it was the best token.
        log_prob: mean log-probability over those frames.
    """

    token_id: int
    start_frame: int
    end_frame: int
    log_prob: float


def collapse(best_ids: NDArray[np.int32]) -> list[int]:
    """Return the ids of the tokens that `greedy_search` finds in best ids, integer [T]."""
    return [token_id for token_id, _ in groupby(best_ids.tolist()) if token_id != BLANK_ID]


def greedy_search(
    best_ids: NDArray[np.int32], best_log_probs: NDArray[np.float32]
) -> list[CtcToken]:
    """Collapse one row's frame-wise best ids: repeats become one token, blanks vanish.

    The spans are also the forced alignment of the resulting tokens: no path can be more likely
    than the one that takes the best id of every frame.

    Args:
        best_ids: integer [T], best id of each frame, cut to the row's own length.
        best_log_probs: float32 [T], their log-probabilities.
    """
    if len(best_ids) == 0:
        return []
    begins = np.ones(len(best_ids), np.bool_)
    np.not_equal(best_ids[1:], best_ids[:-1], out=begins[1:])
    (starts,) = begins.nonzero()
    sums = np.add.reduceat(best_log_probs, starts, dtype=np.float64).tolist()
    firsts = starts.tolist()
    ends = [*firsts[1:], len(best_ids)]
    return [
        CtcToken(token_id, start, end, total / (end - start))
        for token_id, start, end, total in zip(
            best_ids[starts].tolist(), firsts, ends, sums, strict=True
        )
        if token_id != BLANK_ID
    ]
