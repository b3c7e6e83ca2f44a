"""How sure a model is of several words together."""

from __future__ import annotations

import math
from collections.abc import Sequence

_LEAST_CONFIDENCE = 1e-9  # a probability that was rounded to 0 still has a logarithm


def geometric_mean(confidences: Sequence[float | None]) -> float | None:
    """Return the geometric mean of the probabilities that are known; None without any."""
    known = [each for each in confidences if each is not None]
    if not known:
        return None
    return math.exp(sum(math.log(max(each, _LEAST_CONFIDENCE)) for each in known) / len(known))
