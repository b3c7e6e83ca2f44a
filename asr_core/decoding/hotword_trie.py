"""Bonuses for hotwords while a search goes on, token by token.

A text earns, in natural logs beside the recogniser's log-probabilities,

    increment x (its tokens that are part of a hotword)  +  the bonus of each hotword that it holds

A token counts once, however many words share it. A text holds a hotword where it is not a part of a
longer word of letters. Until a word is complete what it will earn is an advance, so that a search
keeps what may become a hotword; what does not, gives it back.

The scale is that of FunASR's decoder: there each token of a hotword earns `fst_inc_wts`, by default
20, and a complete word its own weight, beside log-probabilities times `am_scale`, by default 10.
Source: FunASR `runtime/onnxruntime/src/bias-lm.cpp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from asr_core.decoding.scorers import State
from asr_core.decoding.spelling import Joints

AM_SCALE = 10.0  # by which FunASR's decoder multiplies log-probabilities
DEFAULT_INCREMENT = 10.0  # of `fst_inc_wts`; FunASR's 20 costs other words too much (docs)
DEFAULT_WEIGHT = 1.0  # of a word that is given without one, as in FunASR

_ROOT, _DEAD = 0, -1
_MAX_REMEMBERED = 100_000  # steps; some 20 MB

# Of each word that the last tokens may be the beginning of, the longest first: how many of them,
# and the node in each trie.
_Active = tuple[tuple[int, tuple[int, ...]], ...]


class _Matching(NamedTuple):
    """What of a text decides on the bonuses that follow.

    Attributes:
        active: the words that have begun.
        covered: which of the last tokens are part of a complete word, bit 0 for the last.
        ended: number of tokens and bonus of the words that are complete if the next token does not
            continue the last, the longest first.
        goes_on: whether it may.
    """

    active: _Active = ()
    covered: int = 0
    ended: tuple[tuple[int, float], ...] = ()
    goes_on: bool = False

    def length(self) -> int:
        """Return how many of the last tokens count."""
        return max(self.active[0][0] if self.active else 0, self.ended[0][0] if self.ended else 0)


_NOTHING, _INSIDE_A_WORD = _Matching(), _Matching(goes_on=True)


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
        joints: where tokens are of one word of letters.
    """

    def __init__(
        self,
        tries: Sequence[HotwordTrie],
        increment: float = DEFAULT_INCREMENT,
        joints: Joints | None = None,
    ) -> None:
        self._tries = tuple(tries)
        self._increment = increment / AM_SCALE
        self._joints = joints or Joints()
        self._firsts: frozenset[int] = frozenset().union(*(trie.children[_ROOT] for trie in tries))
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
        if token_id not in self._firsts and (state is _NOTHING or state is _INSIDE_A_WORD):
            return self._nothing_after(token_id), 0.0
        step = self._remembered.get((state, token_id))
        if step is None:
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            step = self._remembered[state, token_id] = self._step(state, token_id)
        return step

    def end(self, state: State) -> float:
        """Return what the end of the text earns, mostly negative: what is given back."""
        earned, _ = self._complete(state)
        return earned - self._advance(state)

    def _nothing_after(self, token_id: int) -> _Matching:
        return _INSIDE_A_WORD if token_id in self._joints.goes_on else _NOTHING

    def _step(self, state: _Matching, token_id: int) -> tuple[_Matching, float]:
        if state.goes_on and token_id in self._joints.continues:
            earned, covered, going_on = 0.0, state.covered, state.active
        else:  # a word may begin
            earned, covered = self._complete(state)
            going_on = (*state.active, (0, (_ROOT,) * len(self._tries)))
        covered <<= 1
        goes_on = token_id in self._joints.goes_on
        active: list[tuple[int, tuple[int, ...]]] = []
        ended: list[tuple[int, float]] = []
        for length, nodes in going_on:
            following = tuple(
                _DEAD if node == _DEAD else trie.children[node].get(token_id, _DEAD)
                for trie, node in zip(self._tries, nodes, strict=True)
            )
            bonus = self._bonus(following)
            if bonus is not None:
                ended.append((length + 1, bonus))
            if any(
                node != _DEAD and trie.children[node]
                for trie, node in zip(self._tries, following, strict=True)
            ):
                active.append((length + 1, following))
        after = _Matching(tuple(active), covered, tuple(ended), goes_on)
        if not goes_on:
            more, covered = self._complete(after)
            earned += more
            after = _Matching(tuple(active), covered)
        if not after.active and not after.ended:
            after = self._nothing_after(token_id)
        else:
            after = after._replace(covered=after.covered & ((1 << after.length()) - 1))
        return after, earned + self._advance(after) - self._advance(state)

    def _complete(self, state: _Matching) -> tuple[float, int]:
        """Return what the words that have ended earn, and what is covered with them."""
        earned, covered = 0.0, state.covered
        for length, bonus in state.ended:
            tokens = (1 << length) - 1
            earned += bonus + self._increment * (tokens & ~covered).bit_count()
            covered |= tokens
        return earned, covered

    def _bonus(self, nodes: Sequence[int]) -> float | None:
        """Return the bonus of the word that ends in any of the tries, the last one's first."""
        for trie, node in zip(reversed(self._tries), reversed(nodes), strict=True):
            if node != _DEAD and trie.bonuses[node] is not None:
                return trie.bonuses[node]
        return None

    def _advance(self, state: _Matching) -> float:
        """Return what a text has been given for words that are not complete."""
        tokens = self._increment * (state.length() - state.covered.bit_count())
        return tokens + sum(bonus for _, bonus in state.ended)
