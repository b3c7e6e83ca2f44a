"""The feature extractor model's work: check, extract, and pad requests so that they batch well."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_core.features.fbank import FRAME_SHIFT_MS
from asr_core.features.frontend import Frontend, load_frontend, pad_features
from asr_core.features.grouping import group_by_length
from asr_core.features.lfr import LFR_SHIFT
from asr_core.features.waveform import split_rows

Features = NDArray[np.float32]

LIMITS_FILE = "limits.json"
_FRAME_S = LFR_SHIFT * FRAME_SHIFT_MS / 1000  # of stacked frames


@dataclass(frozen=True)
class PaddedFeatures:
    """Features of one request, ready for the encoder.

    Attributes:
        index: which request.
        speech: float32 [R, T, D], zero beyond each row's length; T is at least 1.
        lengths: int32 [R, 1], frames of each row, 0 for audio too short for one.
    """

    index: int
    speech: NDArray[np.float32]
    lengths: NDArray[np.int32]


class FeatureService:
    """Answers the requests of a feature extractor; those of similar length get one shape.

    Args:
        frontend: waveform to features.
        max_audio_seconds: longest row accepted.
        max_padding: share of a padded row that may be padding, 0 to below 1.
        max_frames: longest row that the model itself can take, None without a limit.
    """

    def __init__(
        self,
        frontend: Frontend,
        max_audio_seconds: float,
        max_padding: float,
        max_frames: int | None = None,
    ) -> None:
        self._frontend = frontend
        self._max_audio_seconds = max_audio_seconds
        self._max_padding = max_padding
        self._max_frames = max_frames

    def extract(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int32]) -> list[Features]:
        """Extract one request: float32 [R, S] and int32 [R, 1] to R arrays of [T_i, D].

        Raises:
            ValueError: the audio or its lengths are not acceptable.
        """
        rows = split_rows(waveforms, lengths, self._max_audio_seconds)
        features = [self._frontend(row) for row in rows]
        for index, row in enumerate(features):
            if self._max_frames is not None and len(row) > self._max_frames:
                raise ValueError(
                    f"row {index}: expected at most {self._max_frames * _FRAME_S:.1f} s, got "
                    f"{len(row) * _FRAME_S:.1f} s: the attention masks of the installed model end "
                    f"at {self._max_frames} frames; export it again with a current FunASR"
                )
        return features

    def pad(self, requests: Sequence[Sequence[Features]]) -> Iterator[PaddedFeatures]:
        """Pad requests and yield them in the order to answer in: equal shapes side by side."""
        lengths = [max(1, *map(len, rows)) for rows in requests]
        for group in group_by_length(lengths, self._max_padding):
            num_frames = max(lengths[index] for index in group)
            for index in group:
                rows = requests[index]
                yield PaddedFeatures(
                    index,
                    pad_features(rows, num_frames),
                    np.array([[len(row)] for row in rows], np.int32),
                )


def load_feature_service(
    model_dir: Path, max_audio_seconds: float, max_padding: float, device: str = "cpu"
) -> FeatureService:
    """Build the extractor of an installed model.

    Args:
        model_dir: holds `config.yaml` and `am.mvn`, and `limits.json` where the model has a limit.
        max_audio_seconds: longest row accepted.
        max_padding: share of a padded row that may be padding, 0 to below 1.
        device: "cpu", or a torch device such as "cuda:0".
    """
    return FeatureService(
        load_frontend(model_dir, device),
        max_audio_seconds,
        max_padding,
        _read_max_frames(model_dir / LIMITS_FILE),
    )


def _read_max_frames(path: Path) -> int | None:
    """Read the limit that the installer writes for models that have one."""
    if not path.is_file():
        return None
    return int(json.loads(path.read_text(encoding="utf-8"))["max_frames"])
