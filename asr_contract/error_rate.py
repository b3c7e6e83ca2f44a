"""Character error rate: the edit distance between two texts over the reference's length.

`count_edits` takes texts as they are, `count_errors` normalises both first, so that only what was
said counts, not how it is set:

1. Unicode NFKC (full-width letters and digits become plain ones),
2. lower case (`str.casefold`),
3. punctuation (Unicode P*), separators such as spaces (Z*) and control and format characters
   (C*) are dropped. Symbols such as + or ° stay.

Every remaining character counts one, in every language: for English this is a character error
rate too, without spaces, and not the word error rate. "12" against "twelve" is an error: give
references in the form that the model writes (see its ITN option).

`character_error_rate` leaves out spaces and nothing else: for texts that models write in one form,
as in training and where two precisions of a model are compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCount:
    """Edits that turn the reference into the hypothesis, in characters; counts can be added."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_length: int = 0

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_length + other.reference_length,
        )

    @property
    def errors(self) -> int:
        """All edits together; the edit distance."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference character; 0 if both are empty, infinite if only the reference."""
        if self.reference_length:
            return self.errors / self.reference_length
        return float("inf") if self.errors else 0.0


def normalize(text: str) -> str:
    """Return the characters of a text that count; see the module's description."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(c for c in folded if unicodedata.category(c)[0] not in "PZC")
    # What was dropped may have stood between a letter and its accent.
    return unicodedata.normalize("NFC", kept)


def count_edits(reference: str, hypothesis: str) -> ErrorCount:
    """Count the edits between two texts as they are."""
    from rapidfuzz.distance import Levenshtein  # not for the served models, which count nothing

    counts = {"replace": 0, "delete": 0, "insert": 0}
    for edit in Levenshtein.editops(reference, hypothesis):
        counts[edit.tag] += 1
    return ErrorCount(counts["replace"], counts["delete"], counts["insert"], len(reference))


def count_errors(reference: str, hypothesis: str) -> ErrorCount:
    """Count the edits between two texts, after normalising both."""
    return count_edits(normalize(reference), normalize(hypothesis))


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Return edits over reference characters of all pairs together, spaces left out.

    Raises:
        ValueError: the two differ in number, or the references hold no character.
    """
    total = ErrorCount()
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        total += count_edits(reference.replace(" ", ""), hypothesis.replace(" ", ""))
    if not total.reference_length:
        raise ValueError("expected references with characters; got none")
    return total.rate
