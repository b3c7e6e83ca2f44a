"""Log-mel filter bank (Kaldi's fbank) of a waveform.

Sources: Kaldi `feat/feature-fbank.cc`; FunASR's `WavFrontend` for the option values.
"""

from __future__ import annotations

from typing import Any, Protocol

import kaldi_native_fbank as knf
import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

FRAME_LENGTH_MS = 25
FRAME_SHIFT_MS = 10
FRAME_LENGTH_SAMPLES = SAMPLE_RATE * FRAME_LENGTH_MS // 1000
FRAME_SHIFT_SAMPLES = SAMPLE_RATE * FRAME_SHIFT_MS // 1000
NUM_MEL_BINS = 80  # of every model here
PCM16_SCALE = 32_768.0  # Kaldi expects samples in the range of 16-bit integers


class FbankExtractor(Protocol):
    """What the front end needs from an fbank implementation."""

    num_mel_bins: int

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn samples [S] in [-1, 1] into log-mel energies [T, num_mel_bins]."""


def configure(options: Any, num_mel_bins: int) -> None:
    """Set Kaldi's fbank options: 25 ms frames every 10 ms, hamming, no dither.

    Dither is noise added to the samples; with it, the same audio would give another text each
    time. `energy_floor` is 0 and only whole frames count (`snip_edges`), as in training.

    Args:
        options: `FbankOptions` of any library that keeps Kaldi's names.
        num_mel_bins: number of filters.
    """
    options.frame_opts.samp_freq = SAMPLE_RATE
    options.frame_opts.frame_length_ms = FRAME_LENGTH_MS
    options.frame_opts.frame_shift_ms = FRAME_SHIFT_MS
    options.frame_opts.window_type = "hamming"
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = num_mel_bins
    options.energy_floor = 0.0


class FbankStream(Protocol):
    """Fbank of one waveform that arrives in pieces; the frames do not depend on the cuts."""

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn the next samples [S] in [-1, 1] into the frames [T, num_mel_bins] they complete."""


class StreamingFbankExtractor(Protocol):
    """What the front end of a stream needs from an fbank implementation."""

    num_mel_bins: int

    def stream(self) -> FbankStream:
        """Begin a waveform."""


class KaldiNativeFbank:
    """Fbank on the CPU by `kaldi-native-fbank`."""

    def __init__(self, num_mel_bins: int = NUM_MEL_BINS) -> None:
        options = knf.FbankOptions()
        configure(options, num_mel_bins)
        self.num_mel_bins = num_mel_bins
        self._options = options

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute log-mel energies.

        Args:
            waveform: float32 [S], 16 kHz mono in [-1, 1].

        Returns:
            float32 [T, num_mel_bins] with T = 1 + (S - 400) // 160, or 0 below 400 samples.
        """
        return self.stream()(waveform)

    def stream(self) -> FbankStream:
        """Begin a waveform that arrives in pieces."""
        return _KaldiNativeStream(self._options, self.num_mel_bins)


class _KaldiNativeStream:
    """One waveform; keeps the library's tables (9 KB) and the samples of unfinished frames."""

    def __init__(self, options: Any, num_mel_bins: int) -> None:
        self._fbank = knf.OnlineFbank(options)
        self._num_mel_bins = num_mel_bins
        self._num_frames = 0  # given out so far

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        # A list: the binding takes an array apart item by item, at a fifth of the whole cost.
        self._fbank.accept_waveform(SAMPLE_RATE, (waveform * np.float32(PCM16_SCALE)).tolist())
        ready = self._fbank.num_frames_ready - self._num_frames
        frames = np.empty((ready, self._num_mel_bins), np.float32)
        for index in range(ready):
            frames[index] = self._fbank.get_frame(self._num_frames + index)
        self._fbank.pop(ready)
        self._num_frames += ready
        return frames
