"""Resamples a stream to 16 kHz, in pieces of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

from .waveform import RESAMPLING_QUALITY, Waveform, checked_rate

MAX_PIECE_S = 5  # of a long array, converted at a time


class StreamResampler:
    """Resamples a stream to 16 kHz, in pieces of any size; the rate may change on the way.

    The pieces joined are what resampling the whole at once gives. Output lags behind input by
    the filter's delay (some ms), so a piece may give nothing yet; `flush` gives the rest.

    Args:
        channels: of pieces that are [samples, channels]; 0 for [samples].
    """

    def __init__(self, channels: int = 0) -> None:
        self._channels = channels
        self._rate = SAMPLE_RATE
        self._resampler: soxr.ResampleStream | None = None

    def convert(self, frames: NDArray[np.float32], sample_rate: int) -> Iterator[Waveform]:
        """Yield float32 at 16 kHz, at most about `MAX_PIECE_S` at a time.

        Args:
            frames: [samples] or [samples, channels] float32.
            sample_rate: of `frames`, in Hz.

        Raises:
            AudioError: the rate makes no sense.
        """
        rate = checked_rate(sample_rate)
        if rate != self._rate:
            yield self.flush()
            self._rate = rate
            if rate != SAMPLE_RATE:
                self._resampler = soxr.ResampleStream(
                    rate,
                    SAMPLE_RATE,
                    max(self._channels, 1),
                    dtype="float32",
                    quality=RESAMPLING_QUALITY,
                )
        step = MAX_PIECE_S * rate
        for first in range(0, len(frames), step):
            piece = np.ascontiguousarray(frames[first : first + step])
            yield piece if self._resampler is None else self._resampler.resample_chunk(piece)

    def flush(self) -> Waveform:
        """Return what the filter still holds, float32 at 16 kHz, and begin anew."""
        shape = (0, self._channels) if self._channels else (0,)
        tail = np.zeros(shape, np.float32)
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(tail, last=True)
        self._resampler, self._rate = None, SAMPLE_RATE
        return tail
