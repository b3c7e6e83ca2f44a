"""`fa-zh` (MonotonicAligner) with random weights: its CIF fires, the rest is as drawn."""

from __future__ import annotations

import copy
from typing import Any

import torch

from asr_core.features import FEATURE_DIM
from lab.random_models.architecture import (
    FRONTEND_CONF,
    SizeName,
    sanm_encoder_conf,
    upsampling_predictor_conf,
)

# Width, heads, inner width and blocks of the encoder; "full" are the published model's.
SIZES: dict[SizeName, tuple[int, int, int, int]] = {
    "tiny": (32, 2, 64, 2),
    "small": (48, 4, 96, 3),
    "full": (320, 4, 1280, 30),
}
VOCABULARY: dict[SizeName, int] = {"tiny": 64, "small": 160, "full": 8404}


def model_config(size_name: SizeName) -> dict[str, Any]:
    """Return the `config.yaml` of a model, in the form of the published one's."""
    hidden, heads, feed_forward, blocks = SIZES[size_name]
    return {
        "model": "MonotonicAligner",
        "model_conf": {"length_normalized_loss": False, "predictor_bias": 1},
        "encoder": "SANMEncoder",
        "encoder_conf": sanm_encoder_conf(hidden, heads, feed_forward, blocks),
        "predictor": "CifPredictorV3",
        "predictor_conf": upsampling_predictor_conf(hidden),
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": dict(FRONTEND_CONF),
    }


def build_aligner(config: dict[str, Any], seed: int) -> Any:
    """Build FunASR's class as `config.yaml` says, seeded."""
    # FunASR registers its classes when the modules are imported.
    import funasr.models.bicif_paraformer.cif_predictor
    import funasr.models.sanm.encoder  # noqa: F401
    from funasr.models.monotonic_aligner.model import MonotonicAligner

    torch.manual_seed(seed)
    settings = copy.deepcopy(config)
    parts = {name: settings[name] for name in settings if name.startswith(("encoder", "predictor"))}
    model = MonotonicAligner(input_size=FEATURE_DIM, **parts, **settings["model_conf"])
    return model.eval()
