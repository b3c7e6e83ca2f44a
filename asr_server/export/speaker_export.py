"""CAM++ to ONNX: FunASR exports it nowhere.

The graph is FunASR's class as it is; its input and output are named as 3D-Speaker names them.

Sources: FunASR `funasr/models/campplus/model.py`; 3D-Speaker
`speakerlab/bin/export_speaker_embedding_onnx.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from funasr.models.campplus.model import CAMPPlus

from asr_core.config import read_config
from asr_core.features import NUM_MEL_BINS

_FRAMES = 345  # of the dummy input; the exported graph takes any length


class SpeakerForm(torch.nn.Module):  # type: ignore[misc]  # mypy does not see torch
    """What is traced: features [B, T, 80] to embeddings [B, D]."""

    export_name = "model"

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """Return the embedding of each row."""
        embedding: torch.Tensor = self.model(feature)
        return embedding

    def export_dummy_inputs(self) -> torch.Tensor:
        """Return what the graph is traced with."""
        return torch.randn(1, _FRAMES, NUM_MEL_BINS)

    def export_input_names(self) -> list[str]:
        """Return the name of the input."""
        return ["feature"]

    def export_output_names(self) -> list[str]:
        """Return the name of the output."""
        return ["embedding"]

    def export_dynamic_axes(self) -> dict[str, dict[int, str]]:
        """Return which dimensions are free."""
        return {"feature": {0: "batch_size", 1: "frame_num"}, "embedding": {0: "batch_size"}}


def build_speaker(config: Mapping[str, Any]) -> Any:
    """Build FunASR's class as `config.yaml` says, which the published one may leave out."""
    return CAMPPlus(**config.get("model_conf", {}))


def load_speaker_form(source: Path, checkpoint: str) -> SpeakerForm:
    """Load a checkpoint of CAM++.

    Args:
        source: directory with the weights and, if these are not of the published sizes,
            `config.yaml`.
        checkpoint: the file of the weights.

    Raises:
        RuntimeError: the weights do not fit the configuration.
    """
    path = source / "config.yaml"
    model = build_speaker(read_config(path) if path.is_file() else {})
    model.load_state_dict(torch.load(source / checkpoint, map_location="cpu", weights_only=True))
    model.eval()
    return SpeakerForm(model)
