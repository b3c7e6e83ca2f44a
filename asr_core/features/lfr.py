"""Low frame rate: several fbank frames side by side become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr_core.features.fbank import FRAME_SHIFT_MS, NUM_MEL_BINS

LFR_WINDOW = 7  # m: frames stacked into one
LFR_SHIFT = 6  # n: frames from one stack to the next
LFR_FRAME_MS = LFR_SHIFT * FRAME_SHIFT_MS  # 60 ms
FEATURE_DIM = LFR_WINDOW * NUM_MEL_BINS  # of a stacked frame: 560


def num_lfr_frames(num_frames: int, shift: int = LFR_SHIFT) -> int:
    """Return how many stacks `num_frames` frames give: ceil(num_frames / shift)."""
    return -(-num_frames // shift)


def stack_frames(
    fbank: NDArray[np.float32], window: int = LFR_WINDOW, shift: int = LFR_SHIFT
) -> NDArray[np.float32]:
    """Stack `window` frames every `shift` frames.

    Stack i is centred on frame i * shift: the first frame stands in for the (window - 1) / 2
    frames before the start, and the last frame for those after the end.

    Args:
        fbank: float32 [T, D].
        window: frames of a stack.
        shift: frames from one stack to the next.

    Returns:
        float32 [ceil(T / shift), window * D].

    Source: FunASR `funasr/frontends/wav_frontend.py`, `apply_lfr`.
    """
    num_frames = len(fbank)
    stacks = num_lfr_frames(num_frames, shift)
    first = np.arange(stacks)[:, None] * shift - (window - 1) // 2
    stacked = fbank.take(first + np.arange(window), axis=0, mode="clip")  # beyond: first, last
    return stacked.reshape(stacks, window * fbank.shape[1])
