"""Bonuses for hotwords while a search goes on, token by token.

A text earns, in natural logs beside the recogniser's log-probabilities,

    increment x (its tokens that are part of a hotword)  +  the bonus of each hotword that it holds

A token counts once, however many words share it. Until a word is complete its tokens' increments
are an advance, so that a search keeps what may become a hotword; what does not, gives them back.

The scale is that of FunASR's decoder: there each token of a hotword earns `fst_inc_wts`, by default
20, and a complete word its own weight, beside log-probabilities times `am_scale`, by default 10.
Source: FunASR `runtime/onnxruntime/src/bias-lm.cpp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asr_core.decoding.scorers import State

AM_SCALE = 10.0  # by which FunASR's decoder multiplies log-probabilities
DEFAULT_INCREMENT = 10.0  # of `fst_inc_wts`; FunASR's 20 costs other words too much (docs)
DEFAULT_WEIGHT = 1.0  # of a word that is given without one, as in FunASR

_ROOT, _DEAD = 0, -1
_MAX_REMEMBERED = 100_000  # steps; some 20 MB

# Of each word that the last tokens may be the beginning of, the longest first: how many of them,
# and the node in each trie. Then which of the last tokens are part of a complete word, bit 0 for
# the last.
_Active = tuple[tuple[int, tuple[int, ...]], ...]
_Matching = tuple[_Active, int]
_NOTHING: _Matching = ((), 0)


class HotwordTrie:
    """Words as paths of token ids; where one ends there is its bonus.

    Args:
        words: token ids, at least one, and weight of each; of two spelt alike the last counts.
    """

    def __init__(self, words: Iterable[tuple[Sequence[int], float]]) -> None:
        self.children: list[dict[int, int]] = [{}]
        self.bonuses: list[float | None] = [None]
        for ids, weight in words:
            node = _ROOT
            for token in ids:
                following = self.children[node]
                node = following.get(token, len(self.children))
                if token not in following:
                    following[token] = node
                    self.children.append({})
                    self.bonuses.append(None)
            self.bonuses[node] = weight / AM_SCALE

    def __len__(self) -> int:
        """Return the number of words."""
        return sum(bonus is not None for bonus in self.bonuses)


class HotwordScorer:
    """Scores the tokens of hypotheses by the hotwords of one or more tries.

    Steps are remembered, so that requests of the same words share the work.

    Args:
        tries: of the server's words and of a request's; of a word in several the last one's weight
            counts.
        increment: of each token of a hotword, on FunASR's scale.
    """

    def __init__(self, tries: Sequence[HotwordTrie], increment: float = DEFAULT_INCREMENT) -> None:
        self._tries = tuple(tries)
        self._increment = increment / AM_SCALE
        self._firsts = [trie.children[_ROOT] for trie in tries]
        self._remembered: dict[tuple[State, int], tuple[State, float]] = {}

    def begin(self) -> State:
        """Return the state before the first token."""
        return _NOTHING

    def score(self, state: State, token_id: int) -> tuple[State, float]:
        """Return the state after a token and what it earns, negative where it gives back.

        Args:
            state: what `begin` or `score` gave.
            token_id: of the recogniser's vocabulary.
        """
        if state is _NOTHING and not any(token_id in first for first in self._firsts):
            return state, 0.0
        step = self._remembered.get((state, token_id))
        if step is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            step = self._remembered[state, token_id] = self._step(state, token_id)
        return step

    def end(self, state: State) -> float:
        """Return what is given back where the text ends."""
        return -self._advance(state)

    def _step(self, state: _Matching, token_id: int) -> tuple[_Matching, float]:
        active, covered = state
        covered <<= 1
        earned = 0.0
        going_on: list[tuple[int, tuple[int, ...]]] = []
        for length, nodes in (*active, (0, (_ROOT,) * len(self._tries))):
            following = tuple(
                _DEAD if node == _DEAD else trie.children[node].get(token_id, _DEAD)
                for trie, node in zip(self._tries, nodes, strict=True)
            )
            bonus = self._bonus(following)
            if bonus is not None:
                tokens = (2 << length) - 1
                earned += bonus + self._increment * (tokens & ~covered).bit_count()
                covered |= tokens
            if any(
                node != _DEAD and trie.children[node]
                for trie, node in zip(self._tries, following, strict=True)
            ):
                going_on.append((length + 1, following))
        longest = going_on[0][0] if going_on else 0
        after = (tuple(going_on), covered & ((1 << longest) - 1)) if going_on else _NOTHING
        return after, earned + self._advance(after) - self._advance(state)

    def _bonus(self, nodes: Sequence[int]) -> float | None:
        """Return the bonus of the word that ends in any of the tries, the last one's first."""
        for trie, node in zip(reversed(self._tries), reversed(nodes), strict=True):
            if node != _DEAD and trie.bonuses[node] is not None:
                return trie.bonuses[node]
        return None

    def _advance(self, state: _Matching) -> float:
        active, covered = state
        return self._increment * (active[0][0] - covered.bit_count()) if active else 0.0
