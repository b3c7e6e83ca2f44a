"""Kaldi filter banks and low-frame-rate stacking, as the served front end computes them."""

from __future__ import annotations

import kaldi_native_fbank as knf
import numpy as np
import numpy.typing as npt

MEL_BINS = 80
LFR_STACK, LFR_STRIDE = 7, 6
LFR_LEFT_PADDING = (LFR_STACK - 1) // 2
INT16_SCALE = 1 << 15


def fbank_options() -> knf.FbankOptions:
    """Hamming window, 25/10 ms, 80 mels, no dither, no energy floor."""
    options = knf.FbankOptions()
    options.frame_opts.samp_freq = 16000
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = "hamming"
    options.frame_opts.frame_length_ms = 25.0
    options.frame_opts.frame_shift_ms = 10.0
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = MEL_BINS
    options.energy_floor = 0.0
    return options


def compute_fbank(
    waveform: npt.NDArray[np.float32], options: knf.FbankOptions
) -> npt.NDArray[np.float32]:
    """Filter banks [frames, 80] float32 of a 16 kHz waveform in [-1, 1]."""
    extractor = knf.OnlineFbank(options)
    extractor.accept_waveform(16000, waveform * np.float32(INT16_SCALE))
    extractor.input_finished()
    frames = [extractor.get_frame(i) for i in range(extractor.num_frames_ready)]
    return np.stack(frames) if frames else np.zeros((0, MEL_BINS), np.float32)


def stack_frames(fbank: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Low-frame-rate features [ceil(frames / 6), 560]: seven frames every six.

    Three copies of the first frame come before; a short last row repeats the last frame.
    """
    rows = -(-len(fbank) // LFR_STRIDE)
    padded = np.concatenate([np.repeat(fbank[:1], LFR_LEFT_PADDING, axis=0), fbank])
    index = np.arange(rows)[:, None] * LFR_STRIDE + np.arange(LFR_STACK)[None]
    stacked = padded[np.minimum(index, len(padded) - 1)]
    return np.asarray(stacked.reshape(rows, LFR_STACK * MEL_BINS), np.float32)
