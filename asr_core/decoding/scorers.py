"""What a search knows of the words besides the audio: a language model, and how much it counts."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

State = Hashable


class LanguageModel(Protocol):
    """Gives the probability of a model's tokens one after the other.

    States are values: a search keeps many at a time, compares them and takes two hypotheses of the
    same state as one where nothing else tells them apart.
    """

    def begin(self) -> State:
        """Return the state before the first token of a sentence."""

    def score(self, state: State, token_id: int) -> tuple[State, float]:
        """Return the state after a token, and the token's natural-log probability.

        A token that the model knows nothing of has one too, that of an unknown word.

        Args:
            state: what `begin` or `score` gave.
            token_id: of the recogniser's vocabulary.
        """

    def end(self, state: State) -> float:
        """Return the natural-log probability that the sentence ends after a state."""


@dataclass(frozen=True)
class DecodingOptions:
    """How a search weighs what it knows; scores are natural logs.

    Attributes:
        beam: hypotheses kept after each token or frame.
        prune: a hypothesis this much worse than the best is dropped.
        lm_weight: of the language model's log-probabilities beside the recogniser's.
        insertion_bonus: added for each token that a language model scores, which otherwise prefers
            short texts.
    """

    beam: int = 8
    prune: float = 12.0
    lm_weight: float = 0.3
    insertion_bonus: float = 0.0
