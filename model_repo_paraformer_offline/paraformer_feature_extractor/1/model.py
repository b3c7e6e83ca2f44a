"""Waveforms to features and hotwords to embeddings for Paraformer's encoder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_contract import requested_hotwords
from asr_core.features import Features
from asr_core.paraformer import load_hotword_bias, repeat_embedding
from asr_triton.answers import read
from asr_triton.feature_extraction import answer_in_groups, build_feature_service
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers a batch in groups of one length, so that the encoder can join them."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the front end, and what embeds hotwords where the model takes any."""
        parameters = Parameters(args)
        self.service = build_feature_service(parameters)
        self.embed_hotwords = load_hotword_bias(
            Path(pb_utils.get_model_dir()), parameters.integer("max_hotwords")
        )

    def execute(self, requests: Sequence[Any]) -> None:
        """Answer each request as soon as its group is padded."""
        answer_in_groups(requests, self.service, self.extract)

    def extract(self, request: Any) -> tuple[Sequence[Features], Mapping[str, NDArray[Any]]]:
        """Return a request's features and hotwords; a ValueError says what is wrong with it."""
        embedding = self.embed_hotwords(requested_hotwords(request.parameters()))
        features = self.service.extract(read(request, "WAV"), read(request, "WAV_LENS"))
        return features, {"bias_embed": repeat_embedding(embedding, len(features))}
