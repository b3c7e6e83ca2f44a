"""Compares what two graphs give for a row: token ids, scores and timestamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_server.graphs.cif import PEAK_THRESHOLD
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.figures import Figures
from asr_server.graphs.session import Outputs

TOLERANCE = 1e-4  # of scores (logarithms of probabilities) and timestamps
# Two candidates closer than the tolerance may change places; more of that is no coincidence.
MAX_TIE_SHARE = 0.01


@dataclass
class TokenFigures(Figures):
    """Counts of token ids, and largest deviations of what comes with them."""

    tokens: int = 0
    ties: int = 0
    max_score_difference: float = 0.0
    max_timestamp_difference: float = 0.0


def compare(
    what: str,
    expected: Outputs,
    got: Outputs,
    figures: TokenFigures,
    tolerance: float = TOLERANCE,
) -> None:
    """Compare counts, token ids, scores and timestamps of one row and note them in `figures`.

    Args:
        what: names the row in messages.
        expected: with `log_probs` [N, V], another id may have been chosen that scores as well.
        got: of the prepared graph.
        figures: where counts and largest differences are noted.
        tolerance: of scores and timestamps.

    Raises:
        PrepareError: they differ.
    """
    figures.rows += 1
    for name in ("token_num", "encoder_out_lens"):
        if name in expected and expected[name] != got[name]:
            raise PrepareError(f"{what}: {name}: expected {expected[name]}, got {got[name]}")
    wanted, ids = expected["token_ids"], got["token_ids"]
    figures.tokens += len(ids)
    scores = expected["token_scores"]
    if "log_probs" in expected and len(ids):
        # What the original thinks of the id that was chosen: with a tie, nearly as much.
        scores = np.take_along_axis(expected["log_probs"], ids[:, None].astype(int), 1)[:, 0]
        gap = expected["token_scores"] - scores
    else:
        gap = np.where(wanted == ids, 0.0, np.abs(scores - got["token_scores"]))
    if np.any(gap > tolerance):
        raise PrepareError(f"{what}: {int((wanted != ids).sum())} of {len(ids)} token ids differ")
    figures.ties += int((wanted != ids).sum())
    difference = largest(scores - got["token_scores"])
    figures.max_score_difference = max(figures.max_score_difference, difference)
    if not difference <= tolerance:
        raise PrepareError(f"{what}: token_scores differ by {difference:.2g}")
    difference = _candidate_difference(what, expected, got)
    figures.max_score_difference = max(figures.max_score_difference, difference)
    if not difference <= tolerance:
        raise PrepareError(f"{what}: candidate_scores differ by {difference:.2g}")
    for name in expected.keys() & {"us_alphas", "us_cif_peak"}:
        reference = expected[name]
        if np.isnan(reference).any():
            continue  # the original divides by a sum of weights that is zero
        apart = np.abs(reference - got[name])
        if name == "us_cif_peak":
            # An integral that meets the threshold within rounding may fire one step later.
            apart = np.minimum(apart, np.abs(apart - PEAK_THRESHOLD))
        difference = largest(apart)
        figures.max_timestamp_difference = max(figures.max_timestamp_difference, difference)
        if not difference <= tolerance:
            raise PrepareError(f"{what}: {name} differs by {difference:.2g}")


def _candidate_difference(what: str, expected: Outputs, got: Outputs) -> float:
    """Return how far candidates' scores are from the best scores there are.

    Which of two equal ones comes first is open, so that it is the scores that are compared: each
    place's with what it should be, and each id's with its own.

    Raises:
        PrepareError: an id comes twice, or the first is not the chosen one.
    """
    ids, scores = got["candidate_ids"], got["candidate_scores"]
    if not len(ids):
        return 0.0
    if (np.diff(np.sort(ids, axis=-1), axis=-1) == 0).any():
        raise PrepareError(f"{what}: candidate_ids: the same id twice")
    if not np.array_equal(ids[:, 0], got["token_ids"]):
        raise PrepareError(f"{what}: candidate_ids: the first differ from token_ids")
    if "log_probs" not in expected:
        return largest(expected["candidate_scores"] - scores)
    own = np.take_along_axis(expected["log_probs"], ids.astype(int), 1)
    count = ids.shape[1]
    best = -np.sort(np.partition(-expected["log_probs"], count - 1)[:, :count])
    return max(largest(own - scores), largest(best - scores))


def largest(values: NDArray[Any]) -> float:
    """Return the largest magnitude, 0 of nothing; NaN if any is."""
    return float(np.abs(values).max(initial=0.0))


def check_ties(figures: TokenFigures) -> None:
    """Raise `PrepareError` where more ids differ within the tolerance than chance explains."""
    if figures.ties > max(1.0, MAX_TIE_SHARE * figures.tokens):
        raise PrepareError(f"{figures.ties} of {figures.tokens} token ids differ within tolerance")
