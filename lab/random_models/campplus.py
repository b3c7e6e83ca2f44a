"""CAM++ with random weights: its normalisations fit what it sees, the rest is as drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from asr_server.graphs.speech_like import speech_like_features
from lab.random_models.architecture import SizeName

_CALIBRATION_ROWS, _CALIBRATION_FRAMES = 16, 300

SIZES: dict[SizeName, dict[str, int]] = {
    "tiny": {"embedding_size": 16, "growth_rate": 4, "bn_size": 2, "init_channels": 16},
    "small": {"embedding_size": 24, "growth_rate": 6, "bn_size": 2, "init_channels": 24},
    "full": {"embedding_size": 192, "growth_rate": 32, "bn_size": 4, "init_channels": 128},
}


def model_config(size_name: SizeName) -> dict[str, Any]:
    """Return the `config.yaml` of a model, in the form of the published one's."""
    return {
        "model": "CAMPPlus",
        "model_conf": {
            "feat_dim": 80,
            **SIZES[size_name],
            "config_str": "batchnorm-relu",
            "memory_efficient": True,
            "output_level": "segment",
        },
    }


def calibrate_campplus(model: Any, seed: int) -> None:
    """Set means and variances of the normalisations to those of made features.

    Args:
        model: FunASR's CAMPPlus.
        seed: of the features.
    """
    rng = np.random.default_rng(seed)
    rows = [
        speech_like_features(rng, _CALIBRATION_FRAMES, 1, 1) * rng.uniform(0.5, 4)
        for _ in range(_CALIBRATION_ROWS)
    ]
    norms = [
        module
        for module in model.modules()
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d))
    ]
    for norm in norms:
        norm.momentum = None  # the mean of all that is seen
        norm.reset_running_stats()
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(np.stack(rows)))
    model.eval()
