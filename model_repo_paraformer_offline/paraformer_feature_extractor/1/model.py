"""Waveforms to features and hotwords to embeddings for Paraformer's encoder."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_contract import requested_hotwords
from asr_core.paraformer.hotword_bias import load_hotword_bias
from asr_triton.answers import read
from asr_triton.feature_extraction import answer_in_groups, build_extractor


class TritonPythonModel:
    """Answers a batch in groups of one length, so that the encoder can join them."""

    def initialize(self, args):
        settings = json.loads(args["model_config"])["parameters"]
        parameters = {name: value["string_value"] for name, value in settings.items()}
        self.extractor = build_extractor(args, parameters)
        self.embed_hotwords = load_hotword_bias(Path(pb_utils.get_model_dir()), parameters)

    def execute(self, requests):
        answer_in_groups(requests, self.extractor, self.extract)

    def extract(self, request):
        embedding = self.embed_hotwords(requested_hotwords(request.parameters()))
        features = self.extractor.extract(read(request, "WAV"), read(request, "WAV_LENS"))
        return features, {"bias_embed": np.repeat(embedding[None], len(features), axis=0)}
