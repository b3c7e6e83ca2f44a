"""Recordings on which graphs are proved, calibrated and compared: 16 kHz, one channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from asr_contract import SAMPLE_RATE
from asr_core.features import Features, Frontend, Waveform, load_cmvn
from asr_server.errors import InstallError


def read_recordings(paths: Sequence[Path]) -> list[Waveform]:
    """Return the waveform of each file.

    Raises:
        InstallError: one is no audio file, or not 16 kHz mono.
    """
    recordings = []
    for path in paths:
        if not path.is_file():  # of which libsndfile only says "System error"
            raise InstallError(f"{path}: no such file")
        try:
            samples, sample_rate = soundfile.read(path, dtype="float32")
        except (OSError, soundfile.SoundFileError) as error:
            raise InstallError(f"{path}: {error}") from error
        if sample_rate != SAMPLE_RATE or samples.ndim != 1:
            channels = samples.shape[1] if samples.ndim > 1 else 1
            raise InstallError(
                f"{path}: expected {SAMPLE_RATE} Hz, one channel; got {sample_rate} Hz, "
                f"{channels} channels"
            )
        recordings.append(np.asarray(samples, np.float32))
    return recordings


def read_features(paths: Sequence[Path], am_mvn: Path) -> list[Features]:
    """Return the features [T, 560] of each file, normalised by a model's CMVN file.

    Raises:
        InstallError: a file is no audio file, or not 16 kHz mono.
        ValueError: `am_mvn` is not a CMVN file.
    """
    frontend = Frontend(load_cmvn(am_mvn))
    return [frontend(samples) for samples in read_recordings(paths)]
