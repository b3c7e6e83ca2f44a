"""The feature extractor model's work: check, extract, and pad requests so that they batch well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_core.frontend import Frontend, load_frontend, pad_features
from asr_core.grouping import group_by_length
from asr_core.waveform import split_rows

Features = NDArray[np.float32]


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


class FeatureExtractor:
    """Extracts the features of requests and pads those of similar length to one shape.

    Args:
        frontend: waveform to features.
        max_audio_seconds: longest row accepted.
        max_padding: share of a padded row that may be padding, 0 to below 1.
    """

    def __init__(self, frontend: Frontend, max_audio_seconds: float, max_padding: float) -> None:
        self._frontend = frontend
        self._max_audio_seconds = max_audio_seconds
        self._max_padding = max_padding

    def extract(self, waveforms: NDArray[np.float32], lengths: NDArray[np.int32]) -> list[Features]:
        """Extract one request: float32 [R, S] and int32 [R, 1] to R arrays of [T_i, D].

        Raises:
            ValueError: the audio or its lengths are not acceptable.
        """
        rows = split_rows(waveforms, lengths, self._max_audio_seconds)
        return [self._frontend(row) for row in rows]

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


def load_feature_extractor(
    model_dir: Path, parameters: Mapping[str, str], device: str = "cpu"
) -> FeatureExtractor:
    """Build the extractor of an installed model.

    Args:
        model_dir: holds `config.yaml` and `am.mvn`.
        parameters: the model's `max_audio_seconds`, `max_padding_cpu` and `max_padding_gpu`.
        device: "cpu", or a torch device such as "cuda:0".
    """
    kind = "cpu" if device == "cpu" else "gpu"
    return FeatureExtractor(
        load_frontend(model_dir, device),
        float(parameters["max_audio_seconds"]),
        float(parameters[f"max_padding_{kind}"]),
    )
