"""Global mean and deviation of the features, read and written in Kaldi's am.mvn form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_core.features import LFR_WINDOW, load_cmvn

from .dataset import Shards
from .vocal_tract import MEL_BINS

Vector = npt.NDArray[np.float32]


def estimate_cmvn(shards: Shards, utterances: int = 1500) -> tuple[Vector, Vector]:
    """Mean and 1/deviation, each [560] float32: 80 values from speech, tiled seven times."""
    total, squares, frames = np.zeros(MEL_BINS), np.zeros(MEL_BINS), 0
    for known in shards.by_language.values():
        for utterance in known[:utterances]:
            if utterance.record["spoken"]:
                fbank = np.maximum(utterance.fbank().astype(np.float64), -12.0)
                total += fbank.sum(0)
                squares += (fbank**2).sum(0)
                frames += len(fbank)
    mean = total / frames
    deviation = np.sqrt(squares / frames - mean**2)
    return (
        np.tile(mean, LFR_WINDOW).astype(np.float32),
        np.tile(1 / deviation, LFR_WINDOW).astype(np.float32),
    )


def write_cmvn(path: Path, mean: Vector, scale: Vector) -> None:
    """Writes am.mvn: <AddShift> holds the negative mean, <Rescale> the inverse deviation."""

    def row(values: Vector) -> str:
        return "[ " + " ".join(f"{value:.6f}" for value in values) + " ]"

    size = len(mean)
    path.write_text(
        f"<Nnet> \n<Splice> {size} {size} \n[ 0 ] \n"
        f"<AddShift> {size} {size} \n<LearnRateCoef> 0 {row(-mean)} \n"
        f"<Rescale> {size} {size} \n<LearnRateCoef> 0 {row(scale)} \n</Nnet> \n",
        encoding="utf-8",
    )


def read_cmvn(path: Path) -> tuple[Vector, Vector]:
    """Reads (mean, scale), each [560] float32, from an am.mvn file.

    Raises ValueError when the file lacks either vector.
    """
    cmvn = load_cmvn(path)
    return -cmvn.shift, cmvn.scale
