"""Estimates an n-gram model from sentences: interpolated modified Kneser-Ney.

Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling"
(1999). Of n-grams below the longest it counts how many different words come before them, except at
the start of a sentence, which has nothing before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_core.language_models.ngrams import END, START, Ngrams, Nodes

MAX_ORDER = 6
_NO_PROBABILITY = -99.0 * float(np.log(10))  # what ARPA files say of <s>, which nothing precedes
# For texts that are too small to tell; D1, D2 and D3+ of large ones lie around these.
_USUAL_DISCOUNTS = (0.5, 1.0, 1.5)

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class _Counted:
    """The N different n-grams of one length, sorted by context and last word.

    Attributes:
        contexts: int64 [N], all but the last word, by rank among the n-grams one shorter.
        last_words: int64 [N].
        endings: int64 [N], all but the first word, by rank.
        counts: int64 [N], how often each occurs.
        at_start: bool [N], whether the first word is `<s>`.
    """

    contexts: Nodes
    last_words: Nodes
    endings: Nodes
    counts: Nodes
    at_start: NDArray[np.bool_]


def estimate(
    sentences: Iterable[Sequence[int]], tokens: Sequence[str], order: int, min_count: int = 1
) -> Ngrams:
    """Estimate a model over tokens, of which each gets a probability, seen or not.

    Args:
        sentences: ids of tokens.
        tokens: the vocabulary, id to token.
        order: tokens of the longest n-grams, 1 to 6.
        min_count: n-grams of three tokens and more that occur less often are left out; what they
            would have is shared out by the shorter ones.

    Raises:
        ValueError: there is no sentence, or `order` is out of range.
    """
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"expected n-grams of 1 to {MAX_ORDER} tokens, got {order}")
    words = [START, END, *tokens]
    stream = _stream(sentences)
    if not len(stream):
        raise ValueError("expected sentences, got none")
    levels = _count(stream, len(words), order)

    uniform = 1.0 / (len(words) - 1)  # of every word but <s>
    left = np.ones(1)
    probs = np.full(1, uniform)  # of the n-grams one shorter, by rank
    nodes = np.zeros(1, np.int64)  # of the same, -1 where left out
    made = [_Made(nodes - 1, nodes - 1, np.zeros(1), np.zeros(1))]
    for length, level in enumerate(levels, 1):
        longer = levels[length] if length < order else None
        kept = level.counts >= (min_count if length > 2 else 1)
        shares, left = _discounted(level, _adjusted(level, longer), kept, len(probs))
        is_context = nodes > 0  # nothing is shorter than no words
        made[-1].backoffs[nodes[is_context] - _first(made)] = np.log(left[is_context])
        probs = shares + left[level.contexts] * probs[level.endings]
        if length == 1:
            every = np.full(len(words), left[0] * uniform)
            every[level.last_words] = probs
            log_probs = np.log(every)
            log_probs[0] = _NO_PROBABILITY
            all_words = np.arange(len(words))
            made.append(_Made(0 * all_words, all_words, log_probs, np.zeros(len(words))))
            nodes = 1 + level.last_words
        else:
            contexts, last_words = nodes[level.contexts[kept]], level.last_words[kept]
            made.append(_Made(contexts, last_words, np.log(probs[kept]), np.zeros(len(contexts))))
            nodes = np.where(kept, _first(made) + np.cumsum(kept) - 1, -1)
    return Ngrams(
        words,
        [len(one.last_words) for one in made[1:]],
        np.concatenate([one.contexts for one in made]),
        np.concatenate([one.last_words for one in made]),
        np.concatenate([one.log_probs for one in made]).astype(np.float32),
        np.concatenate([one.backoffs for one in made]).astype(np.float32),
    )


@dataclass(frozen=True)
class _Made:
    """The nodes of one length, as in `Ngrams`."""

    contexts: Nodes
    last_words: Nodes
    log_probs: Reals
    backoffs: Reals


def _first(made: Sequence[_Made]) -> int:
    """Return the first node of the last length."""
    return sum(len(one.last_words) for one in made[:-1])


def _stream(sentences: Iterable[Sequence[int]]) -> Nodes:
    """Return all sentences one after the other, each between 0 (`<s>`) and 1 (`</s>`)."""
    parts: list[NDArray[np.int64]] = []
    for sentence in sentences:
        part = np.empty(len(sentence) + 2, np.int64)
        part[0], part[1:-1], part[-1] = 0, sentence, 1
        part[1:-1] += 2
        parts.append(part)
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _count(stream: Nodes, num_words: int, order: int) -> list[_Counted]:
    """Count the n-grams of each length up to `order` that cross no end of a sentence."""
    begins = np.arange(len(stream))  # where the n-grams of the length begin
    ranks = np.zeros(len(stream) + 1, np.int64)  # of those one shorter, by where they begin
    levels = []
    for length in range(1, order + 1):
        if length > 1:  # a longer one goes on, so it does not end the sentence yet
            begins = begins[begins + length - 1 < len(stream)]
            begins = begins[stream[begins + length - 2] != 1]
        last = stream[begins + length - 1]
        keys = ranks[begins] * num_words + last
        unique, at, inverse, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        first = begins[at]
        levels.append(
            _Counted(
                unique // num_words,
                unique % num_words,
                ranks[first + 1],
                counts,
                stream[first] == 0,
            )
        )
        following = np.zeros(len(stream) + 1, np.int64)
        following[begins] = inverse
        ranks = following
    return levels


def _adjusted(level: _Counted, longer: _Counted | None) -> Nodes:
    """Return what Kneser-Ney counts of each n-gram; nothing of `<s>`, which is never said."""
    if longer is None:
        counts = level.counts.copy()
    else:
        before = np.bincount(longer.endings, minlength=len(level.counts))
        counts = np.where(level.at_start, level.counts, before)
    counts[level.last_words == 0] = 0
    return counts


def _discounted(
    level: _Counted, counts: Nodes, kept: NDArray[np.bool_], num_contexts: int
) -> tuple[Reals, Reals]:
    """Return the share of each n-gram in its context, and what each context leaves over."""
    discounts = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
    totals = np.bincount(level.contexts, counts, num_contexts)
    shares = np.where(kept, counts - discounts, 0.0) / np.maximum(totals, 1)[level.contexts]
    left = 1.0 - np.bincount(level.contexts, shares, num_contexts)
    return shares, np.where(totals > 0, left, 1.0)


def _discounts(counts: Nodes) -> tuple[float, float, float]:
    """Return D1, D2 and D3+ by how many n-grams are counted once, twice, three and four times."""
    ones, twos, threes, fours = (int((counts == times).sum()) for times in (1, 2, 3, 4))
    if not ones or not twos or not threes:
        return _USUAL_DISCOUNTS
    share = ones / (ones + 2 * twos)
    found = (
        1 - 2 * share * twos / ones,
        2 - 3 * share * threes / twos,
        3 - 4 * share * fours / threes,
    )
    valid = all(0 < discount <= times for times, discount in enumerate(found, 1))
    return found if valid else _USUAL_DISCOUNTS
