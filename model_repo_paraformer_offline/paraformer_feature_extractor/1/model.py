"""Waveforms to features and hotwords to embeddings for Paraformer's encoder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_contract import requested_hotwords
from asr_core.decoding import repeat_left_out
from asr_core.paraformer import load_hotword_bias, repeat_embedding
from asr_triton.answers import answer_each, read_inputs
from asr_triton.feature_extraction import build_feature_service
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers each request by itself; batches form at the encoder."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the front end, and what embeds hotwords where the model takes any."""
        close_inherited_connections()
        parameters = Parameters(args)
        self.service = build_feature_service(parameters)
        self.embed_hotwords = load_hotword_bias(
            Path(pb_utils.get_model_dir()), parameters.integer("max_hotwords")
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Extract the features of each request and embed its hotwords."""
        return answer_each(requests, self.answer)

    def answer(self, request: Any) -> Mapping[str, NDArray[Any]]:
        """Return a request's features and hotwords; a ValueError says what is wrong with it."""
        hotwords = requested_hotwords(request.parameters())
        embedding, problems = self.embed_hotwords(hotwords), self.embed_hotwords.left_out(hotwords)
        inputs = read_inputs(request)
        features = self.service.answer(inputs["WAV"], inputs["WAV_LENS"])
        rows = len(features["speech"])
        return {
            **features,
            "bias_embed": repeat_embedding(embedding, rows),
            "hotwords_left_out": repeat_left_out(problems, rows),
        }
