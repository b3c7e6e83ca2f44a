"""The same fbank on a GPU, by `kaldifeat`, for instances that have one.

`kaldifeat` is a PyTorch extension that builds from source against the installed torch and CUDA;
it is optional, and `asr_core.features.fbank.KaldiNativeFbank` is the reference it must agree with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr_core.features.fbank import FRAME_LENGTH_SAMPLES, PCM16_SCALE, configure


class KaldifeatFbank:
    """Fbank by `kaldifeat` on one torch device.

    Args:
        num_mel_bins: number of filters.
        device: a torch device such as "cuda:0".

    Raises:
        ImportError: `kaldifeat` or torch is not installed.
    """

    def __init__(self, num_mel_bins: int, device: str) -> None:
        import kaldifeat
        import torch

        options = kaldifeat.FbankOptions()
        configure(options, num_mel_bins)
        options.device = torch.device(device)
        self.num_mel_bins = num_mel_bins
        self._torch = torch
        self._device = options.device
        self._fbank = kaldifeat.Fbank(options)

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute log-mel energies: float32 [S] in [-1, 1] to float32 [T, num_mel_bins]."""
        if len(waveform) < FRAME_LENGTH_SAMPLES:  # kaldifeat fails on audio without a frame
            return np.zeros((0, self.num_mel_bins), np.float32)
        samples = self._torch.from_numpy(waveform * np.float32(PCM16_SCALE)).to(self._device)
        frames: NDArray[np.float32] = self._fbank(samples).cpu().numpy()
        return frames
