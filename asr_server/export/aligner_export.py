"""`fa-zh`, FunASR's MonotonicAligner, to ONNX: FunASR exports it nowhere.

The graph is FunASR's own encoder in its export form and its own predictor, up to the weights of the
upsampled CIF. They do not depend on a text: how many tokens there are decides by what they are
multiplied, which is done behind the graph. It takes rows of one length, since the predictor's LSTM
runs over a row from both ends and would read the padding.

Source: FunASR `funasr/models/monotonic_aligner/model.py`, `calc_predictor_timestamp`.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from funasr.models.sanm.encoder import SANMEncoderExport

from asr_core.features import FEATURE_DIM
from asr_server.graphs.speech_like import speech_like_features

_FRAMES = 60  # of the dummy input; the exported graph takes any number
_CHECKED_FRAMES = (1, 83, 300)
_TOLERANCE = 1e-4


class _AllFrames(torch.nn.Module):  # type: ignore[misc]  # mypy does not see torch
    """Stands for FunASR's mask of padding: there is none."""

    def forward(self, speech: torch.Tensor) -> torch.Tensor:
        """Return ones [B, T] for speech [B, T, 560]."""
        return torch.ones_like(speech[:, :, 0])


class AlignerForm(torch.nn.Module):  # type: ignore[misc]
    """What is traced: features [B, T, 560] to weights [B, U], U = 3 T, before they are scaled."""

    export_name = "model"

    def __init__(self, model: Any) -> None:
        """Take FunASR's model, whose encoder becomes its export form."""
        super().__init__()
        self._original = copy.deepcopy(model)
        self.encoder = SANMEncoderExport(model.encoder, onnx=True)
        self.encoder.make_pad_mask = _AllFrames()
        self.predictor = model.predictor

    def forward(self, speech: torch.Tensor) -> torch.Tensor:
        """Return the weights of each row."""
        hidden, _ = self.encoder(speech, speech)  # the mask is made of the second
        *_, us_alphas, _ = self.predictor.get_upsample_timestamp(hidden)
        weights: torch.Tensor = us_alphas
        return weights

    def export_dummy_inputs(self) -> torch.Tensor:
        """Return what the graph is traced with."""
        return torch.randn(2, _FRAMES, FEATURE_DIM)

    def export_input_names(self) -> list[str]:
        """Return the name of the input."""
        return ["speech"]

    def export_output_names(self) -> list[str]:
        """Return the name of the output."""
        return ["us_alphas"]

    def export_dynamic_axes(self) -> dict[str, dict[int, str]]:
        """Return which dimensions are free."""
        return {
            "speech": {0: "batch_size", 1: "feats_length"},
            "us_alphas": {0: "batch_size", 1: "alphas_length"},
        }

    def check(self, graph: Path) -> None:
        """Compare an exported graph with FunASR's class, as that is before it takes its form.

        Raises:
            ValueError: their weights differ.
        """
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(0)
        for frames in _CHECKED_FRAMES:
            speech = speech_like_features(rng, frames)[None]
            (got,) = session.run(None, {"speech": speech})
            with torch.no_grad():
                hidden, _ = self._original.encode(torch.from_numpy(speech), torch.tensor([frames]))
                mask = torch.ones(1, 1, frames)
                *_, expected, _ = self._original.predictor.get_upsample_timestamp(hidden, mask)
            difference = float(np.abs(got - expected.numpy()).max())
            if not difference <= _TOLERANCE:
                raise ValueError(f"{frames} frames: the weights differ from FunASR's: {difference}")
