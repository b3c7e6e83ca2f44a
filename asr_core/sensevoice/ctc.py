"""CTC greedy search on token ids that the graph already reduced to the best per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLANK_ID = 0


@dataclass(frozen=True)
class CtcToken:
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
    starts = np.flatnonzero(np.diff(best_ids, prepend=best_ids[0] - 1))
    lengths = np.diff(starts, append=len(best_ids))
    log_probs = np.add.reduceat(best_log_probs, starts, dtype=np.float64) / lengths
    return [
        CtcToken(token_id, start, start + length, log_prob)
        for token_id, start, length, log_prob in zip(
            best_ids[starts].tolist(),
            starts.tolist(),
            lengths.tolist(),
            log_probs.tolist(),
            strict=True,
        )
        if token_id != BLANK_ID
    ]
