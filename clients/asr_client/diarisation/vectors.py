"""Vectors of length one, by whose products voices are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_NORM = 1e-9  # a vector of zeros stays one


def of_length_one(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return vectors [..., D], each divided by its length."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, LEAST_NORM), np.float32)
