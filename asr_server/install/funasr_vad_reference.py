"""What `funasr_onnx` says of a recording's speech and silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import funasr_onnx.vad_bin
import numpy as np
from funasr_onnx import Fsmn_vad
from funasr_onnx.utils.e2e_vad import E2EVadModel, FrameState
from numpy.typing import NDArray

Segments = list[tuple[int, int]]


_SMALLEST = 1e-6  # probability of which FunASR is asked for the logarithm


class CountingOnce(E2EVadModel):  # type: ignore[misc]  # without types
    """FunASR's decisions, but a frame below `decibel_thres` is seen once, not twice.

    Nor does it raise on probabilities of exactly 0 or 1.
    """

    def ComputeScores(self, scores: NDArray[np.float32]) -> None:
        """Take scores whose logarithm exists."""
        super().ComputeScores(np.clip(scores, _SMALLEST, 1 - _SMALLEST))

    def GetFrameState(self, t: int) -> FrameState:
        """Return silence for a quiet frame, which FunASR would go on to count."""
        if self.decibel[t] < self.vad_opts.decibel_thres:
            return FrameState.kFrameStateSil
        return super().GetFrameState(t)


funasr_onnx.vad_bin.E2EVadModel = CountingOnce


class VadReference:
    """`funasr_onnx.Fsmn_vad`."""

    def __init__(self, model_dir: Path, quantized: bool = False) -> None:
        self._vad = Fsmn_vad(str(model_dir), quantize=quantized, intra_op_num_threads=1)
        self._defaults = dict(self._vad.vad_scorer_config)

    def segments(self, samples: NDArray[np.float32], **options: Any) -> Segments:
        """Return all segments of a 16 kHz recording: start and end in ms."""
        self._vad.vad_scorer_config = {**self._defaults, **options}
        self._vad.max_end_sil = self._vad.vad_scorer_config["max_end_silence_time"]
        return [tuple(segment) for segment in self._vad(samples)[0]]
