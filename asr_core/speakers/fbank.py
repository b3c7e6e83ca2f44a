"""The fbank of CAM++: Kaldi's with its own window, on samples in [-1, 1], the mean taken away.

Sources: FunASR `funasr/models/campplus/utils.py` (`extract_feature`); 3D-Speaker `FBank`.
"""

from __future__ import annotations

import kaldi_native_fbank as knf
import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE
from asr_core.features.fbank import NUM_MEL_BINS, configure


class SpeakerFbank:
    """Turns a recording into the features of a speaker model.

    Unlike the recognisers' fbank: Povey's window, samples that stay in [-1, 1], so that the floor
    of an energy (1.2e-7) shows in digital silence only, and no CMVN but the recording's own mean.
    """

    def __init__(self) -> None:
        self._options = knf.FbankOptions()
        configure(self._options, NUM_MEL_BINS)
        self._options.frame_opts.window_type = "povey"

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute features.

        Args:
            waveform: float32 [S], 16 kHz mono in [-1, 1].

        Returns:
            float32 [T, 80] with T = 1 + (S - 400) // 160, or 0 below 400 samples; each column's
            mean is 0.
        """
        frames = self.log_mel(waveform)
        return frames - frames.mean(axis=0, keepdims=True) if len(frames) else frames

    def log_mel(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute log-mel energies, float32 [T, 80], with their mean."""
        fbank = knf.OnlineFbank(self._options)
        fbank.accept_waveform(SAMPLE_RATE, waveform.tolist())
        count = fbank.num_frames_ready
        frames = np.empty((count, NUM_MEL_BINS), np.float32)
        for index in range(count):
            frames[index] = fbank.get_frame(index)
        return frames
