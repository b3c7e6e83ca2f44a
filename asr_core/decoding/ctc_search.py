"""Prefix beam search over CTC frames, by the best path of each prefix.

Of the paths to a prefix the most likely one counts, as in the decoders over graphs that FunASR
uses, not their sum: so a search that knows nothing finds what taking each frame's best finds, and
what it returns is a path, whose frames say when each token was.

Two hypotheses are one where the same can follow: they end in the same token, or in a blank, and the
scorer takes their texts as the same.
"""

from __future__ import annotations

from collections.abc import Collection
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_core.decoding.position_search import Candidates, keep_best, live_candidates
from asr_core.decoding.scorers import DecodingOptions, State, TokenScorer

# (token, its log-probability, the path before): one frame; a run of blanks is one, with its length.
_Path = Any
_Hypotheses = dict[tuple[int, State], tuple[float, _Path]]


def search_frames(
    ids: NDArray[np.int32],
    log_probs: NDArray[np.float32],
    scorer: TokenScorer,
    options: DecodingOptions,
    silent: Collection[int] = (),
    blank: int = 0,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the best path: the id of each frame and its log-probability.

    Args:
        ids: int32 [T, K], candidates of each frame.
        log_probs: float32 [T, K], the best first.
        scorer: of tokens.
        options: of the search.
        silent: ids that are no text, which the scorer does not see.
        blank: the id between tokens.

    Returns:
        int32 [T] and float32 [T].
    """
    if not len(ids):
        return ids[:, 0], log_probs[:, 0]
    hypotheses: _Hypotheses = {(blank, scorer.begin()): (0.0, None)}
    frames = live_candidates(ids, log_probs, options.prune)
    number = 0
    while number < len(frames):
        candidates = frames[number]
        number += 1
        if len(candidates) > 1 or candidates[0][0] != blank:
            found = _extend(hypotheses, candidates, scorer, silent, blank)
            hypotheses = keep_best(found, options)
            continue
        run = [candidates[0][1]]
        while number < len(frames) and len(frames[number]) == 1 and frames[number][0][0] == blank:
            run.append(frames[number][0][1])
            number += 1
        hypotheses = _pass_blanks(hypotheses, run, blank)
    _, path = max(
        ((total + scorer.end(state), path) for (_, state), (total, path) in hypotheses.items()),
        key=itemgetter(0),
    )
    return _trace(path)


def _extend(
    hypotheses: _Hypotheses,
    candidates: Candidates,
    scorer: TokenScorer,
    silent: Collection[int],
    blank: int,
) -> _Hypotheses:
    """Return what the hypotheses become by one frame."""
    found: _Hypotheses = {}
    score = scorer.score
    marked = [(one, log_prob, one != blank and one not in silent) for one, log_prob in candidates]
    for (last, state), (total, path) in hypotheses.items():
        for token, log_prob, is_text in marked:
            sum_ = total + log_prob
            after = state
            if is_text and token != last:
                after, added = score(state, token)
                sum_ += added
            key = (token, after)
            known = found.get(key)
            if known is None or sum_ > known[0]:
                found[key] = sum_, (token, log_prob, path)
    return found


def _pass_blanks(hypotheses: _Hypotheses, run: list[float], blank: int) -> _Hypotheses:
    """Return what the hypotheses become by frames that can only be blanks."""
    found: _Hypotheses = {}
    passed = sum(run)
    for (_, state), (total, path) in hypotheses.items():
        known = found.get((blank, state))
        if known is None or total + passed > known[0]:
            found[blank, state] = total + passed, (blank, run, path)
    return found


def _trace(path: _Path) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return ids and log-probabilities of a path's frames, the first first."""
    ids: list[int] = []
    scores: list[float] = []
    while path is not None:
        token, log_prob, path = path
        if isinstance(log_prob, list):
            ids += [token] * len(log_prob)
            scores += reversed(log_prob)
        else:
            ids.append(token)
            scores.append(log_prob)
    return np.array(ids[::-1], np.int32), np.array(scores[::-1], np.float32)
