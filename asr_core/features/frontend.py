"""Waveform to model features: fbank, LFR, CMVN."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE
from asr_core.config import load_config
from asr_core.features import fbank as kaldi
from asr_core.features.asrfront_fbank import AsrfrontFbank, AsrfrontFeatures
from asr_core.features.choice import DEFAULT_FBANK, make_fbank
from asr_core.features.cmvn import Cmvn, load_cmvn
from asr_core.features.fbank import NUM_MEL_BINS, FbankExtractor
from asr_core.features.lfr import LFR_SHIFT, LFR_WINDOW, stack_frames
from asr_core.features.waveform import Waveform

Features: TypeAlias = NDArray[np.float32]  # [T, D], a row every 60 ms unless told otherwise

# What this front end computes; a model trained on anything else must not be served with it.
_SUPPORTED = {
    "fs": SAMPLE_RATE,
    "window": "hamming",
    "frame_length": kaldi.FRAME_LENGTH_MS,
    "frame_shift": kaldi.FRAME_SHIFT_MS,
}


class Frontend:
    """The front end of one model.

    Args:
        cmvn: normalisation of the stacked frames, dimension `lfr_window` x mel bins.
        fbank: the fbank implementation, by default `make_fbank()`.
        lfr_window, lfr_shift: as in `lfr.stack_frames`.

    Raises:
        ValueError: CMVN and stacked frames differ in dimension.
    """

    def __init__(
        self,
        cmvn: Cmvn,
        fbank: FbankExtractor | None = None,
        lfr_window: int = LFR_WINDOW,
        lfr_shift: int = LFR_SHIFT,
    ) -> None:
        self._fbank = fbank or make_fbank()
        self._cmvn = cmvn
        self._lfr_window = lfr_window
        self._lfr_shift = lfr_shift
        self._at_once: AsrfrontFeatures | None = None
        self.feature_dim = lfr_window * self._fbank.num_mel_bins
        if cmvn.shift.shape != (self.feature_dim,):
            raise ValueError(
                f"am.mvn: expected {self.feature_dim} dimensions ({lfr_window} frames of "
                f"{self._fbank.num_mel_bins} mel bins), got {len(cmvn.shift)}"
            )
        if isinstance(self._fbank, AsrfrontFbank):
            bins = self._fbank.num_mel_bins
            self._at_once = AsrfrontFeatures(bins, lfr_window, lfr_shift, cmvn)

    def __call__(self, waveform: Waveform) -> Features:
        """Turn float32 samples [S] in [-1, 1] into features [T, feature_dim].

        T is 0 for audio shorter than one fbank frame (400 samples).
        """
        if self._at_once is not None:
            return self._at_once(waveform)
        stacked = stack_frames(self._fbank(waveform), self._lfr_window, self._lfr_shift)
        return self._cmvn(stacked)


def read_frontend_conf(model_dir: Path) -> dict[str, Any]:
    """Read `frontend_conf` of a model's `config.yaml`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the settings are not those this front end computes.
    """
    settings: dict[str, Any] = load_config(model_dir)["frontend_conf"]
    for name, expected in _SUPPORTED.items():
        if settings.get(name, expected) != expected:
            raise ValueError(f"frontend_conf.{name}: expected {expected}, got {settings[name]}")
    return settings


def load_frontend(model_dir: Path, fbank: str = DEFAULT_FBANK, device: str = "cpu") -> Frontend:
    """Build the front end that a model's `config.yaml` describes, with the `am.mvn` beside it.

    Args:
        model_dir: holds `config.yaml` and `am.mvn`.
        fbank: which implementation, see `choice.make_fbank`.
        device: "cpu", or a torch device such as "cuda:0".

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the settings are not those this front end computes.
    """
    settings = read_frontend_conf(model_dir)
    return Frontend(
        load_cmvn(model_dir / "am.mvn"),
        make_fbank(fbank, settings.get("n_mels", NUM_MEL_BINS), device),
        settings.get("lfr_m", LFR_WINDOW),
        settings.get("lfr_n", LFR_SHIFT),
    )


def batch_features(rows: Sequence[Features]) -> dict[str, NDArray[Any]]:
    """Lay out rows of features [T_i, D] as an encoder takes them.

    Returns:
        `speech`, float32 [R, T, D] with zeros after each row and T at least 1, and
        `speech_lengths`, int32 [R].
    """
    lengths = np.array([len(row) for row in rows], np.int32)
    return {"speech": pad_features(rows, max(1, lengths.max())), "speech_lengths": lengths}


def pad_features(rows: Sequence[Features], num_frames: int) -> NDArray[np.float32]:
    """Stack rows of features [T_i, D] into float32 [R, num_frames, D], zeros after each row."""
    if len(rows) == 1 and len(rows[0]) == num_frames:
        return rows[0][None]  # what most requests are: nothing to lay out
    padded = np.zeros((len(rows), num_frames, rows[0].shape[1]), np.float32)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
