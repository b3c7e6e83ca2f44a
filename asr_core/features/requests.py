"""The feature extractor model's work: check a request's audio and extract its features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract.text_files import read_json
from asr_core.features.choice import DEFAULT_FBANK
from asr_core.features.frontend import Frontend, batch_features, load_frontend
from asr_core.features.lfr import LFR_FRAME_MS
from asr_core.features.waveform import split_rows

LIMITS_FILE = "limits.json"
_FRAME_S = LFR_FRAME_MS / 1000


class FeatureService:
    """Answers the requests of a feature extractor.

    Args:
        frontend: waveform to features.
        max_audio_seconds: longest row accepted.
        max_frames: longest row that the model itself can take, None without a limit.
    """

    def __init__(
        self,
        frontend: Frontend,
        max_audio_seconds: float,
        max_frames: int | None = None,
    ) -> None:
        self._frontend = frontend
        self._max_audio_seconds = max_audio_seconds
        self._max_frames = max_frames

    def answer(
        self, waveforms: NDArray[np.float32], lengths: NDArray[np.int32]
    ) -> dict[str, NDArray[Any]]:
        """Return the features of one request.

        Args:
            waveforms: float32 [R, S], zero-padded on the right.
            lengths: int32 [R, 1], true length of each row in samples.

        Returns:
            `speech`, float32 [R, T, D], zero beyond each row's length and T at least 1, and
            `speech_lengths`, int32 [R, 1], 0 for audio too short for a frame.

        Raises:
            ValueError: the audio or its lengths are not acceptable.
        """
        rows = split_rows(waveforms, lengths, self._max_audio_seconds)
        batch = batch_features([self._frontend(row) for row in rows])
        for index, frames in enumerate(batch["speech_lengths"].tolist()):
            if self._max_frames is not None and frames > self._max_frames:
                raise ValueError(
                    f"row {index}: expected at most {self._max_frames * _FRAME_S:.1f} s, got "
                    f"{frames * _FRAME_S:.1f} s: the attention masks of the installed model end "
                    f"at {self._max_frames} frames; export it again with a current FunASR"
                )
        return {**batch, "speech_lengths": batch["speech_lengths"][:, None]}


def load_feature_service(
    model_dir: Path, max_audio_seconds: float, fbank: str = DEFAULT_FBANK, device: str = "cpu"
) -> FeatureService:
    """Build the extractor of an installed model.

    Args:
        model_dir: holds `config.yaml` and `am.mvn`, and `limits.json` where the model has a limit.
        max_audio_seconds: longest row accepted.
        fbank: which implementation, see `choice.make_fbank`.
        device: "cpu", or a torch device such as "cuda:0".
    """
    return FeatureService(
        load_frontend(model_dir, fbank, device),
        max_audio_seconds,
        _read_max_frames(model_dir / LIMITS_FILE),
    )


def _read_max_frames(path: Path) -> int | None:
    """Read the limit that the installer writes for models that have one."""
    if not path.is_file():
        return None
    return int(read_json(path)["max_frames"])
