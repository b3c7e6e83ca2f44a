"""Global mean and variance normalisation, read from Kaldi's `am.mvn`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_contract.text_files import read_text

_VECTOR = re.compile(r"<(AddShift|Rescale)>.*?\[(.*?)\]", re.DOTALL)


@dataclass(frozen=True)
class Cmvn:
    """`(features + shift) * scale`, per dimension.

    Attributes:
        shift: float32 [D], the negative mean of the training features.
        scale: float32 [D], the reciprocal of their standard deviation.
    """

    shift: NDArray[np.float32]
    scale: NDArray[np.float32]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalise float32 [T, D]."""
        normalised: NDArray[np.float32] = features + self.shift
        normalised *= self.scale
        return normalised


def load_cmvn(path: Path) -> Cmvn:
    """Read `<AddShift>` and `<Rescale>` of a Kaldi nnet file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it does not hold both vectors, in equal length.
    """
    vectors = {
        name: np.array(body.split(), np.float32) for name, body in _VECTOR.findall(read_text(path))
    }
    if set(vectors) != {"AddShift", "Rescale"}:
        raise ValueError(f"{path}: expected <AddShift> and <Rescale>, got {sorted(vectors)}")
    if vectors["AddShift"].shape != vectors["Rescale"].shape:
        raise ValueError(
            f"{path}: <AddShift> has {len(vectors['AddShift'])} values, "
            f"<Rescale> {len(vectors['Rescale'])}; expected equal numbers"
        )
    return Cmvn(shift=vectors["AddShift"], scale=vectors["Rescale"])
