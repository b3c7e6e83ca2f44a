"""A back-off model's n-grams as arrays: what files, estimates and searches have in common.

Every n-gram is a node: the context, which is the node one word shorter, and a last word. Nodes are
numbered by length, then context, then word, so that the n-grams of a context lie together and one
is found by bisection.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

START, END, UNKNOWN = "<s>", "</s>", "<unk>"

Nodes = NDArray[np.int64]
LogProbs = NDArray[np.float32]


def fingerprint(tokens: Sequence[str]) -> str:
    """Return what tells a recogniser's vocabulary from any other: SHA-256 of its tokens in order.

    What speaks of tokens is only right for the vocabulary it was made for, and as many tokens are
    not the same ones.
    """
    return hashlib.sha256(json.dumps(list(tokens)).encode()).hexdigest()


@dataclass(frozen=True)
class Ngrams:
    """The nodes of a model of W words and N n-grams; node 0 is that of no words at all.

    Attributes:
        words: [W]; node 1 + w is the word w alone.
        sizes: n-grams of one word, of two, ...
        contexts: int64 [1 + N], node of the words before the last; -1 for node 0.
        last_words: int64 [1 + N]; -1 for node 0.
        log_probs: float32 [1 + N], natural log of the last word's probability after the context.
        backoffs: float32 [1 + N], natural log of what it costs that a longer n-gram is missing.
        made_for: `fingerprint` of the vocabulary that the words are of; "" where nothing says it.
    """

    words: Sequence[str]
    sizes: Sequence[int]
    contexts: Nodes
    last_words: Nodes
    log_probs: LogProbs
    backoffs: LogProbs
    made_for: str = ""

    @property
    def order(self) -> int:
        """Words of the longest n-grams."""
        return len(self.sizes)

    @cached_property
    def starts(self) -> Nodes:
        """First node of each length from one word on, and the number of all: int64 [order + 1]."""
        return np.cumsum([1, *self.sizes])

    @cached_property
    def children(self) -> Nodes:
        """First node that each one is the context of, and the number of all: int64 [2 + N]."""
        return np.searchsorted(self.contexts, np.arange(len(self.contexts) + 1))

    @cached_property
    def suffixes(self) -> Nodes:
        """For each node, that of its longest shorter ending which is an n-gram: int64 [1 + N]."""
        suffixes = np.zeros(len(self.contexts), np.int64)
        for first, end in zip(self.starts[1:-1], self.starts[2:], strict=True):
            # The ending of "a b c" is c after the ending of "a b", or after a shorter one.
            context, word = suffixes[self.contexts[first:end]], self.last_words[first:end]
            found = self.find(context, word)
            while (missing := np.flatnonzero((found < 0) & (context > 0))).size:
                context[missing] = suffixes[context[missing]]
                found[missing] = self.find(context[missing], word[missing])
            suffixes[first:end] = np.maximum(found, 0)
        return suffixes

    def find(self, contexts: Nodes, words: Nodes) -> Nodes:
        """Return the nodes of words after contexts, -1 where there is none: int64 [n] each."""
        wanted = contexts * len(self.words) + words
        nodes = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[nodes] == wanted, nodes, -1)

    def text(self, node: int) -> list[str]:
        """Return the words of a node."""
        found: list[str] = []
        while node > 0:
            found.append(self.words[int(self.last_words[node])])
            node = int(self.contexts[node])
        return found[::-1]

    @cached_property
    def _keys(self) -> Nodes:
        return self.contexts * len(self.words) + self.last_words
