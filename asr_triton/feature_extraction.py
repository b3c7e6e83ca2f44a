"""The offline feature extractors' service, as their parameters say."""

from __future__ import annotations

from pathlib import Path

import triton_python_backend_utils as pb_utils

from asr_core.features import FeatureService, load_feature_service
from asr_triton.memory import keep_freed_memory
from asr_triton.parameters import Parameters


def build_feature_service(parameters: Parameters) -> FeatureService:
    """Build the feature service of the model that is being initialised.

    A recording and its features, half a megabyte for 5 s, come and go with each request: the
    process keeps their memory.
    """
    keep_freed_memory()
    return load_feature_service(
        Path(pb_utils.get_model_dir()),
        max_audio_seconds=parameters.number("max_audio_seconds"),
        fbank=parameters.text("fbank"),
        device=parameters.device,
    )
