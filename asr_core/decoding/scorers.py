"""What a search knows of the words besides the audio, and how much it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

State: TypeAlias = Any  # a value that can be compared and hashed


class TokenScorer(Protocol):
    """Scores the tokens of hypotheses one after the other, in natural logs.

    States are values: a search keeps many at a time, compares them and takes two hypotheses of the
    same state as one where nothing else tells them apart.
    """

    def begin(self) -> State:
        """Return the state before the first token."""

    def score(self, state: State, token_id: int) -> tuple[State, float]:
        """Return the state after a token, and what the token adds to the score.

        Args:
            state: what `begin` or `score` gave.
            token_id: of the recogniser's vocabulary.
        """

    def end(self, state: State) -> float:
        """Return what the end of the text adds after a state."""


class LanguageModel(TokenScorer, Protocol):
    """A scorer whose scores are log-probabilities, of a token and of the end of a sentence.

    A token that the model knows nothing of has one too, that of an unknown word.
    """


@dataclass(frozen=True)
class DecodingOptions:
    """How a search weighs what it knows; scores are natural logs.

    Attributes:
        beam: hypotheses kept after each token or frame.
        prune: a hypothesis this much worse than the best is dropped, and a token or frame's
            candidate this much worse than its best.
        lm_weight: of the language model's log-probabilities beside the recogniser's.
        insertion_bonus: added for each token that a language model scores, which otherwise prefers
            short texts.
    """

    beam: int = 8
    prune: float = 12.0
    lm_weight: float = 0.3
    insertion_bonus: float = 0.0


class WeighedLanguageModel:
    """A language model's scores as they count beside the recogniser's."""

    def __init__(self, model: LanguageModel, options: DecodingOptions) -> None:
        self._model = model
        self._weight = options.lm_weight
        self._bonus = options.insertion_bonus

    def begin(self) -> State:
        """Return the state before the first token."""
        return self._model.begin()

    def score(self, state: State, token_id: int) -> tuple[State, float]:
        """Return the state after a token, and its weighed score with the insertion bonus."""
        after, log_prob = self._model.score(state, token_id)
        return after, self._weight * log_prob + self._bonus

    def end(self, state: State) -> float:
        """Return the weighed score of the end."""
        return self._weight * self._model.end(state)


class JoinedScorers:
    """Two scorers as one; its state is the pair of theirs."""

    def __init__(self, first: TokenScorer, second: TokenScorer) -> None:
        self._first = first
        self._second = second

    def begin(self) -> State:
        """Return the state before the first token."""
        return self._first.begin(), self._second.begin()

    def score(self, state: State, token_id: int) -> tuple[State, float]:
        """Return the state after a token, and what both add."""
        one, other = state
        one, added = self._first.score(one, token_id)
        other, more = self._second.score(other, token_id)
        return (one, other), added + more

    def end(self, state: State) -> float:
        """Return what the end adds by both."""
        one, other = state
        return self._first.end(one) + self._second.end(other)
