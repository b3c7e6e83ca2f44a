"""Checks on the audio of a request, and its rows cut to their true length."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

Waveform: TypeAlias = NDArray[np.float32]  # [samples], 16 kHz mono in [-1, 1]


def split_rows(
    waveforms: NDArray[np.float32], lengths: NDArray[np.int32], max_seconds: float
) -> list[NDArray[np.float32]]:
    """Cut each row of a request at its true length.

    Args:
        waveforms: float32 [R, S], zero-padded on the right.
        lengths: int32 [R, 1], true length of each row in samples.
        max_seconds: longest row allowed.

    Returns:
        R views of float32 [lengths[i]].

    Raises:
        ValueError: a length is negative, beyond the row or above the limit; the rows differ in
            number; or a sample is NaN or infinite.
    """
    if lengths.shape != (len(waveforms), 1):
        raise ValueError(
            f"WAV_LENS: expected shape [{len(waveforms)}, 1] for {len(waveforms)} rows of WAV, "
            f"got {list(lengths.shape)}"
        )
    rows = []
    for index, (waveform, length) in enumerate(zip(waveforms, lengths[:, 0].tolist(), strict=True)):
        if not 0 <= length <= len(waveform):
            raise ValueError(
                f"WAV_LENS, row {index}: expected 0 to {len(waveform)} (the samples in WAV), "
                f"got {length}"
            )
        if length > max_seconds * SAMPLE_RATE:
            raise ValueError(
                f"WAV, row {index}: expected at most {max_seconds:g} s of audio (the model's "
                f"parameter max_audio_seconds), got {length / SAMPLE_RATE:.1f} s; "
                "send longer audio in pieces"
            )
        row = waveform[:length]
        if not np.isfinite(row).all():
            raise ValueError(f"WAV, row {index}: expected finite samples, got NaN or infinity")
        rows.append(row)
    return rows
