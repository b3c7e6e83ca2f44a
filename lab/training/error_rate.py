"""Character error rate."""

from __future__ import annotations

from collections.abc import Sequence


def edit_distance(reference: str, hypothesis: str) -> int:
    """Levenshtein distance in characters."""
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, heard in enumerate(hypothesis, 1):
            substitution = diagonal + (expected != heard)
            diagonal = row[j]
            row[j] = min(row[j] + 1, row[j - 1] + 1, substitution)
    return row[-1]


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Edits over reference characters, spaces left out.

    Raises ValueError when the two differ in number or the references are empty.
    """
    pairs = [
        (r.replace(" ", ""), h.replace(" ", ""))
        for r, h in zip(references, hypotheses, strict=True)
    ]
    characters = sum(len(r) for r, _ in pairs)
    if characters == 0:
        raise ValueError("the references hold no character")
    return sum(edit_distance(r, h) for r, h in pairs) / characters
