"""Finds where the text of a repeated recognition continues what a client has been told.

A recognition that starts again, a little before the place where it was, may hear some words
differently: one character more or less must neither drop a later one nor report one twice.
"""

from __future__ import annotations


def told_length(told: str, heard: str) -> int:
    """Return how many characters of a text say what was told.

    Args:
        told: the words that were reported.
        heard: the words from the same beginning, as they are heard now, and perhaps more.

    Returns:
        the length of the beginning of `heard` that is nearest to `told` by edit distance: of
        several one that ends as `told` does, and the longest, so that no word is told twice.
    """
    if heard.startswith(told):
        return len(told)
    if told.startswith(heard):
        return len(heard)
    # Edit distances of `told`'s beginning, a character longer each time, to all of `heard`'s.
    distances = list(range(len(heard) + 1))
    for index, character in enumerate(told, start=1):
        diagonal, distances[0] = distances[0], index
        for position, other in enumerate(heard, start=1):
            nearest = min(
                diagonal + (character != other),
                distances[position] + 1,
                distances[position - 1] + 1,
            )
            diagonal, distances[position] = distances[position], nearest
    lengths = range(len(heard) + 1)
    return max(lengths, key=lambda n: (-distances[n], heard[:n].endswith(told[-1]), n))
