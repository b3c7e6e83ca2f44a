"""A language model as large as a user's, whose first part knows what the recordings say.

Sentences of the training texts' grammar, and beside them random sequences of the recogniser's
tokens until the model has a million n-grams; all from seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr_core.language_models import NgramModel, estimate, save_ngrams
from asr_server.install.recogniser_tokens import TextTokens, tokens_of

ENTRIES = 1_000_000
ORDER = 3
SENTENCES = 50_000
RANDOM_TOKENS = 20  # of a random sequence
_ROUND_SEQUENCES = 10_000
_SEED = 0


@dataclass(frozen=True)
class LargeNgrams:
    """The model in its mapped form.

    Attributes:
        model: what scores tokens.
        entries: its n-grams.
        folder: holds its files.
    """

    model: NgramModel
    entries: int
    folder: Path

    def mapped_mb(self) -> float:
        """Return the size of the files, which all processes share."""
        return sum(file.stat().st_size for file in self.folder.glob("*.npy")) / 1e6

    def own_kb(self) -> int:
        """Return what this process has copied of the files' pages for itself."""
        kb, counted = 0, False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            name, _, rest = line.partition(":")
            if "-" in line.split(" ", 1)[0]:
                counted = str(self.folder) in line
            elif counted and name == "Anonymous":
                kb += int(rest.split()[0])
        return kb


def make_large_ngrams(kind: str, repository: Path, folder: Path) -> LargeNgrams:
    """Make a model for the recogniser that is installed in a repository.

    Args:
        kind: of the recogniser.
        repository: with its vocabulary.
        folder: gets the model's files.
    """
    from lab.training.evaluate_language_models import training_sentences  # needs `.[train]`

    tokens = TextTokens(kind, repository)
    spoken = [*tokens.lines(training_sentences(SENTENCES))]
    sequences = _random_sequences(len(tokens.tokens))
    entries = 0
    while entries < ENTRIES:
        spoken += [next(sequences) for _ in range(_ROUND_SEQUENCES)]
        entries = _distinct(spoken)
    ngrams = estimate(spoken, tokens.tokens, ORDER)
    folder.mkdir()
    save_ngrams(ngrams, folder)
    return LargeNgrams(NgramModel(folder, tokens_of(kind, repository)), sum(ngrams.sizes), folder)


def _random_sequences(num_tokens: int) -> Iterator[list[int]]:
    rng = np.random.default_rng(_SEED)
    while True:
        yield rng.integers(1, num_tokens, RANDOM_TOKENS).tolist()


def _distinct(sentences: list[list[int]]) -> int:
    """Return how many different pairs and triples of tokens sentences have."""
    stream = np.concatenate([np.array([*sentence, 0], np.int64) for sentence in sentences])
    size = int(stream.max()) + 1
    pairs = stream[:-1] * size + stream[1:]
    return len(np.unique(pairs)) + len(np.unique(pairs[:-1] * size + stream[2:]))
