"""What the models take, 16 kHz mono float32 in [-1, 1], and what it may be made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError

RESAMPLING_QUALITY = "HQ"  # soxr's default: errors below what 16 bits can hold

# Outside this range a "sample rate" is a mistake (a duration, a channel count, kHz for Hz).
MIN_SAMPLE_RATE = 1_000
MAX_SAMPLE_RATE = 768_000

Waveform: TypeAlias = NDArray[np.float32]  # [samples], 16 kHz, [-1, 1]


@dataclass(frozen=True)
class Pcm:
    """Raw samples without a header, so everything a header would say is said here.

    Attributes:
        data: the samples, interleaved by channel, or the path of a file that holds them.
        sample_rate: in Hz.
        sample_format: one of `PCM_FORMATS`, named as ffmpeg names them, or of `RAW_CODECS`.
        channels: number of interleaved channels.
    """

    data: bytes | bytearray | memoryview | str | os.PathLike[str]
    sample_rate: int
    sample_format: str = "s16le"
    channels: int = 1


AudioInput: TypeAlias = Union[
    str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO, NDArray[Any], Pcm
]


def checked_rate(sample_rate: int) -> int:
    """Return the sample rate as an int, or raise AudioError."""
    expected = f"sample_rate: expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
    try:
        rate = int(sample_rate)
        whole = not isinstance(sample_rate, bool) and rate == sample_rate
    except (TypeError, ValueError, OverflowError):
        raise AudioError(f"{expected}; got {sample_rate!r}") from None
    if not whole or not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise AudioError(f"{expected}; got {sample_rate!r}")
    return rate
