"""An n-gram model scored by the definition of backing off, from the words of its n-grams."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from asr_core.language_models import END, START, NgramModel, estimate, save_ngrams

Text = tuple[str, ...]


class ReferredNgrams:
    """What the product scores with, and the same model by its definition.

    Args:
        seed: of the sentences that it is estimated from.
        names: of the tokens, id to name; those from `first` on occur in the sentences, and the
            last of them is no word of the model.
        first: id of the first.
    """

    def __init__(self, seed: int, names: Sequence[str], first: int) -> None:
        rng = np.random.default_rng(seed)
        words = names[first:-1]
        lengths = rng.integers(1, 7, 30)
        sentences = [rng.integers(0, len(words), length).tolist() for length in lengths]
        ngrams = estimate(sentences, words, 1 + seed % 4, 1 + seed % 2)
        self._names = names
        self._log_probs: dict[Text, float] = {}
        self._backoffs: dict[Text, float] = {}
        for node in range(1, len(ngrams.contexts)):
            text = tuple(ngrams.text(node))
            self._log_probs[text] = float(ngrams.log_probs[node])
            self._backoffs[text] = float(ngrams.backoffs[node])
        spoken = [value for text, value in self._log_probs.items() if len(text) == 1]
        self._rarest = min(value for value in spoken if value > -90)  # all but <s>
        with tempfile.TemporaryDirectory() as folder:
            save_ngrams(ngrams, Path(folder))
            self.model = NgramModel(Path(folder), names)

    def log_prob(self, ids: Sequence[int]) -> float:
        """Natural-log probability of a sentence with its end."""
        words = (START, *(self._names[token] for token in ids), END)
        return sum(self._after(words[:place], words[place]) for place in range(1, len(words)))

    def _after(self, before: Text, word: str) -> float:
        if (*before, word) in self._log_probs:
            return self._log_probs[(*before, word)]
        if not before:
            return self._rarest  # no word of the model
        return self._backoffs.get(before, 0.0) + self._after(before[1:], word)


@cache
def referred(seed: int, names: tuple[str, ...], first: int) -> ReferredNgrams:
    """Return the model of a seed, made once."""
    return ReferredNgrams(seed, names, first)
