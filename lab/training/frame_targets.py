"""Which token sounds in each frame, from the synthesiser's word starts.

Classifying frames gets the encoder past the plateau on which a cross entropy over whole
sentences, or CTC, stays for thousands of steps.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .dataset import Item, ShardUtterance

FRAME_MS = 60
IGNORED = -1
SILENCE = 0
DEFAULT_CHARACTER_MS = 250.0

TokensOf = Callable[[str, str], list[int]]
"""The token ids of a word in a language; IGNORED for a character without one."""


def word_spans(record: dict[str, Any]) -> list[tuple[str, float, float]]:
    """(word, start, end) in ms; a word ends where the next begins, or before a pause."""
    words = record["words"]
    starts = [start for _, start in words]
    rates = [
        (following - start) / len(text)
        for (text, start), following in zip(words, starts[1:], strict=False)
    ]
    usual = statistics.median(rates) if rates else DEFAULT_CHARACTER_MS
    spans = []
    for index, (text, start) in enumerate(words):
        longest = start + 1.6 * usual * len(text)
        is_last = index + 1 == len(words)
        end = start + usual * len(text) if is_last else min(longest, starts[index + 1])
        spans.append((text, float(start), float(end)))
    return spans


def frame_targets(items: list[Item], frames: int, tokens_of: TokensOf) -> npt.NDArray[np.int64]:
    """Token id of each frame [batch, frames]; SILENCE outside words, IGNORED when unknown.

    A record with text but without word times, and frames past an item's end, are ignored.
    """
    targets = np.full((len(items), frames), IGNORED, np.int64)
    for row, item in zip(targets, items, strict=True):
        row[: len(item.features)] = SILENCE
        for record, offset_ms in zip(item.records, item.offsets_ms, strict=True):
            if record["spoken"] and not record["words"]:
                first = max(0, offset_ms // FRAME_MS)
                row[first : first + record["frames"] // 6] = IGNORED
            for text, start, end in word_spans(record):
                tokens = tokens_of(text, record["language"])
                edges = offset_ms + np.linspace(start, end, len(tokens) + 1)
                bounds = np.round(edges / FRAME_MS).astype(int).clip(0)
                for token, first, last in zip(tokens, bounds, bounds[1:], strict=False):
                    row[first:last] = token
        row[len(item.features) :] = IGNORED
    return targets


def class_weights(
    utterances: list[ShardUtterance], size: int, tokens_of: TokensOf
) -> npt.NDArray[np.float32]:
    """Weight of each of `size` tokens in the frame loss, so that rare ones count like digits.

    The square root of the median frequency over the token's own, between 0.3 and 3; silence 0.3.
    """
    counts = Counter(
        token
        for utterance in utterances
        for text, _ in utterance.record["words"]
        for token in tokens_of(text, utterance.record["language"])
        if token > SILENCE
    )
    median = statistics.median(counts.values())
    weights = np.ones(size, np.float32)
    for token, count in counts.items():
        weights[token] = np.clip((median / count) ** 0.5, 0.3, 3.0)
    weights[SILENCE] = 0.3
    return weights
