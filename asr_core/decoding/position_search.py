"""Search over a Paraformer's decoder steps: a token for each, the best by all that is known.

Steps are independent of each other in the recogniser, so that what is known of the words decides
alone how they go together.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from heapq import nlargest
from operator import itemgetter
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from asr_core.decoding.scorers import DecodingOptions, State, TokenScorer

# Steps of a stream that may still change; the words in them are the last of a partial text.
MAX_OPEN = 12

Key = TypeVar("Key", bound=Hashable)
T = TypeVar("T")

Token = tuple[int, float]  # an id with its log-probability
Candidates = Sequence[Token]  # of a step or frame


class _Path(NamedTuple):
    """The tokens of a hypothesis, the last first."""

    token_id: int
    log_prob: float
    before: _Path | None
    length: int


class PositionSearch:
    """Finds the best text while its candidates arrive.

    Nothing else than the candidates decides, so that a text in pieces is the text in one.

    Args:
        scorer: of tokens.
        options: of the search.
        silent: ids that are no text, which the scorer does not see.
        max_open: tokens that may still change at most, counted from the last; None for no limit.
    """

    def __init__(
        self,
        scorer: TokenScorer,
        options: DecodingOptions,
        silent: Collection[int],
        max_open: int | None = None,
    ) -> None:
        self._scorer = scorer
        self._options = options
        self._silent = silent
        self._max_open = max_open
        self._taken = 0
        self._hypotheses: dict[State, tuple[float, _Path | None]] = {scorer.begin(): (0.0, None)}

    def accept(self, ids: NDArray[np.int32], log_probs: NDArray[np.float32]) -> None:
        """Take the candidates of the next steps.

        Args:
            ids: int32 [N, K].
            log_probs: float32 [N, K], the best first.
        """
        for step in live_candidates(ids, log_probs, self._options.prune):
            self._extend(step)

    def take(self, is_final: bool) -> tuple[list[Token], list[Token]]:
        """Return the tokens that became settled since the last call, and those behind them.

        Args:
            is_final: nothing follows, so that all are settled.
        """
        settled = None if is_final else self.settled()
        _, tokens = self.best(is_final, self._taken)
        count = len(tokens) if settled is None else settled - self._taken
        self._taken += count
        return tokens[:count], tokens[count:]

    def settled(self) -> int:
        """Return how many tokens, from the first, can no longer change."""
        paths = [path for _, path in self._hypotheses.values()]
        while len({id(path) for path in paths}) > 1:
            paths = [path.before if path else None for path in paths]
        return paths[0].length if paths[0] else 0

    def best(self, is_final: bool, start: int = 0) -> tuple[float, list[Token]]:
        """Return the score of the best text so far and its tokens.

        Args:
            is_final: nothing follows.
            start: the first of the tokens to return.
        """
        score, path = max(
            (
                (score + self._scorer.end(state) if is_final else score, path)
                for state, (score, path) in self._hypotheses.items()
            ),
            key=itemgetter(0),
        )
        tokens: list[Token] = []
        while path is not None and path.length > start:
            tokens.append((path.token_id, path.log_prob))
            path = path.before
        return score, tokens[::-1]

    def _extend(self, candidates: Candidates) -> None:
        found: dict[State, tuple[float, _Path | None]] = {}
        score, silent = self._scorer.score, self._silent
        for state, (total, path) in self._hypotheses.items():
            length = path.length + 1 if path else 1
            for token, log_prob in candidates:
                after, added = (state, 0.0) if token in silent else score(state, token)
                sum_ = total + log_prob + added
                known = found.get(after)
                if known is None or sum_ > known[0]:
                    found[after] = sum_, _Path(token, log_prob, path, length)
        self._hypotheses = keep_best(found, self._options)
        if self._max_open is not None:
            self._settle(self._max_open)

    def _settle(self, max_open: int) -> None:
        """Drop the hypotheses that differ from the best in a token too long ago."""
        if len(self._hypotheses) == 1:
            return
        _, best = max(self._hypotheses.values(), key=itemgetter(0))
        if best is None or best.length <= max_open:
            return
        old = _back(best, max_open)
        self._hypotheses = {
            state: (total, path)
            for state, (total, path) in self._hypotheses.items()
            if _back(path, max_open) is old
        }


def search_positions(
    ids: NDArray[np.int32],
    log_probs: NDArray[np.float32],
    scorer: TokenScorer,
    options: DecodingOptions,
    silent: Collection[int],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the best token of each step and its log-probability.

    Args:
        ids: int32 [N, K], candidates of each step.
        log_probs: float32 [N, K], the best first.
        scorer: of tokens.
        options: of the search.
        silent: ids that are no text, which the scorer does not see.

    Returns:
        int32 [N] and float32 [N].
    """
    search = PositionSearch(scorer, options, silent)
    search.accept(ids, log_probs)
    _, tokens = search.best(is_final=True)
    chosen = [token for token, _ in tokens], [log_prob for _, log_prob in tokens]
    return np.array(chosen[0], np.int32), np.array(chosen[1], np.float32)


def live_candidates(
    ids: NDArray[np.int32], log_probs: NDArray[np.float32], prune: float
) -> list[Candidates]:
    """Return the candidates of each step or frame that are near enough to its best.

    Args:
        ids: int32 [N, K].
        log_probs: float32 [N, K], the best first.
        prune: by how much one may be below the best, in natural-log probability.
    """
    counts = (log_probs >= log_probs[:, :1] - prune).sum(axis=1).tolist()
    rows = zip(ids.tolist(), log_probs.tolist(), counts, strict=True)
    return [list(zip(row[:count], scores[:count], strict=True)) for row, scores, count in rows]


def keep_best(
    found: dict[Key, tuple[float, T]], options: DecodingOptions
) -> dict[Key, tuple[float, T]]:
    """Return the hypotheses that go on, each a score and something else."""
    if len(found) == 1:
        return found
    least = max(total for total, _ in found.values()) - options.prune
    kept = [entry for entry in found.items() if entry[1][0] >= least]
    if len(kept) > options.beam:
        kept = nlargest(options.beam, kept, key=lambda entry: entry[1][0])
    return dict(kept)


def _back(path: _Path | None, steps: int) -> _Path | None:
    for _ in range(steps):
        path = path.before if path else None
    return path
