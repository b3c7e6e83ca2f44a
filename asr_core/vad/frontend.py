"""The VAD's front end for audio that arrives in pieces: fbank, LFR, CMVN, and levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_core.features import FRAME_LENGTH_SAMPLES, FRAME_SHIFT_SAMPLES, Cmvn, FbankExtractor

_SMALLEST_ENERGY = 1e-6  # -60 dB, the level of digital silence


@dataclass(frozen=True)
class VadFrames:
    """Frames of 10 ms.

    Attributes:
        features: float32 [T, D], normalised stacks of neighbouring fbank frames.
        decibels: float32 [T], each frame's energy in dB of full scale.
    """

    features: NDArray[np.float32]
    decibels: NDArray[np.float32]


class VadFrontend:
    """The front end of one stream; its frames do not depend on how the audio was cut.

    A frame is stacked with the `lfr_window // 2` before and after it, so the last ones come with
    the end of the stream. Memory does not grow.

    Args:
        fbank: waveform to log-mel energies.
        cmvn: normalisation of the stacked frames.
        lfr_window: frames of a stack, odd.
    """

    def __init__(self, fbank: FbankExtractor, cmvn: Cmvn, lfr_window: int) -> None:
        self._extract = fbank
        self._cmvn = cmvn
        self._window = lfr_window
        self._samples = np.empty(0, np.float32)  # not yet in a frame of their own
        self._fbank = np.empty((0, fbank.num_mel_bins), np.float32)  # what the next stack needs
        self._decibels = np.empty(0, np.float32)  # of frames not yet given out

    def accept(self, waveform: NDArray[np.float32], is_final: bool) -> VadFrames:
        """Take the next samples and return the frames they complete.

        Args:
            waveform: float32 [S], 16 kHz, in [-1, 1]; S may be 0.
            is_final: nothing follows; the returned frames are the last.
        """
        samples = np.concatenate([self._samples, waveform])
        frames = self._extract(samples)
        self._samples = samples[len(frames) * FRAME_SHIFT_SAMPLES :].copy()
        edge = self._window // 2
        if len(frames) and not len(self._fbank):  # the first frame stands in for those before it
            self._fbank = np.repeat(frames[:1], edge, axis=0)
        fbank = np.concatenate([self._fbank, frames])
        if is_final and len(fbank):
            fbank = np.concatenate([fbank, np.repeat(fbank[-1:], edge, axis=0)])
        decibels = np.concatenate([self._decibels, frame_decibels(samples, len(frames))])
        count = max(len(fbank) - 2 * edge, 0)
        self._fbank, self._decibels = fbank[count:].copy(), decibels[count:].copy()
        return VadFrames(self._cmvn(_stack(fbank, self._window, count)), decibels[:count])


def frame_decibels(samples: NDArray[np.float32], num_frames: int) -> NDArray[np.float32]:
    """Return each frame's energy in dB, float32 [num_frames].

    Args:
        samples: float32 [S] in [-1, 1], that hold the frames of 25 ms, 10 ms apart.
        num_frames: how many of them count.
    """
    if num_frames == 0:
        return np.empty(0, np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_LENGTH_SAMPLES)
    frames = frames[::FRAME_SHIFT_SAMPLES][:num_frames]
    energies = np.einsum("ts,ts->t", frames, frames, dtype=np.float64)
    decibels: NDArray[np.float32] = 10.0 * np.log10(energies + _SMALLEST_ENERGY).astype(np.float32)
    return decibels


def _stack(fbank: NDArray[np.float32], window: int, count: int) -> NDArray[np.float32]:
    """Stack each of the first `count` frames with those after it: float32 [count, window * D]."""
    indices = np.arange(count)[:, None] + np.arange(window)
    stacked: NDArray[np.float32] = fbank[indices].reshape(count, window * fbank.shape[1])
    return stacked
