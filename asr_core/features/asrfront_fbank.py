"""The same fbank by `asrfront`, some twelve times as fast as `kaldi-native-fbank`'s binding.

Its native front ends are called without the checks that its public functions make: a seventh of the
whole, on samples that are checked here already. The version is pinned, and tests compare.
"""

from __future__ import annotations

import numpy as np
from asrfront import sensevoice
from numpy.typing import NDArray

from asr_core.features.cmvn import Cmvn
from asr_core.features.fbank import FRAME_SHIFT_SAMPLES, FbankStream


class AsrfrontFbank:
    """Fbank on the CPU by `asrfront`, whose options are those of `fbank.configure`.

    Args:
        num_mel_bins: number of filters.
    """

    def __init__(self, num_mel_bins: int) -> None:
        self.num_mel_bins = num_mel_bins

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute log-mel energies.

        Args:
            waveform: float32 [S], 16 kHz mono in [-1, 1], finite.

        Returns:
            float32 [T, num_mel_bins] with T = 1 + (S - 400) // 160, or 0 below 400 samples.
        """
        frontend = sensevoice._frontend(self.num_mel_bins, 1, 1, None, 0.0, 0)
        return frontend.fbank_raw(np.ascontiguousarray(waveform, np.float32))

    def stream(self) -> FbankStream:
        """Begin a waveform that arrives in pieces."""
        return _AsrfrontStream(self)


class AsrfrontFeatures:
    """Fbank, LFR and CMVN in one pass: to the bit what the three give one after the other.

    Args:
        num_mel_bins: number of filters.
        lfr_window, lfr_shift: as in `lfr.stack_frames`.
        cmvn: of the stacked frames.
    """

    def __init__(self, num_mel_bins: int, lfr_window: int, lfr_shift: int, cmvn: Cmvn) -> None:
        self._sizes = (num_mel_bins, lfr_window, lfr_shift)
        pair = (cmvn.shift, cmvn.scale)
        self._cmvn = sensevoice._resolve_cmvn(pair, num_mel_bins * lfr_window)

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn float32 samples [S], finite, into features [T, lfr_window * num_mel_bins]."""
        frontend = sensevoice._frontend(*self._sizes, self._cmvn, 0.0, 0)  # one for each thread
        return frontend.fbank(np.ascontiguousarray(waveform, np.float32))


class _AsrfrontStream:
    """One waveform; a frame depends on its own samples only, so those behind the last are kept."""

    def __init__(self, fbank: AsrfrontFbank) -> None:
        self._fbank = fbank
        self._waiting = np.zeros(0, np.float32)

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        samples = np.concatenate([self._waiting, waveform])
        frames = self._fbank(samples)
        self._waiting = samples[len(frames) * FRAME_SHIFT_SAMPLES :].copy()
        return frames
