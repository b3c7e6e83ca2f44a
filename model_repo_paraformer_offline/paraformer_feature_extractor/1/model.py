"""Waveforms to features and hotwords to embeddings for Paraformer's encoder."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.feature_extractor import load_feature_extractor
from asr_core.hotword_bias import load_hotword_bias
from asr_core.hotwords import read_parameter


class TritonPythonModel:
    """Answers a batch in groups of one length, so that the encoder can join them."""

    def initialize(self, args):
        settings = json.loads(args["model_config"])["parameters"]
        parameters = {name: value["string_value"] for name, value in settings.items()}
        on_gpu = args["model_instance_kind"] == "GPU"
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        model_dir = Path(pb_utils.get_model_dir())
        self.extractor = load_feature_extractor(model_dir, parameters, device)
        self.embed_hotwords = load_hotword_bias(model_dir, parameters)

    def execute(self, requests):
        accepted, features, embeddings = [], [], []
        for request in requests:
            try:
                embedding = self.embed_hotwords(read_parameter(request.parameters()))
                features.append(self.extract(request))
                embeddings.append(embedding)
                accepted.append(request)
            except ValueError as error:
                refusal = pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG)
                self.answer(request, pb_utils.InferenceResponse(error=refusal))
        for padded in self.extractor.pad(features):
            request, embedding = accepted[padded.index], embeddings[padded.index]
            bias_embed = np.repeat(embedding[None], len(padded.lengths), axis=0)
            outputs = [
                pb_utils.Tensor("speech", padded.speech),
                pb_utils.Tensor("speech_lengths", padded.lengths),
                pb_utils.Tensor("bias_embed", bias_embed),
            ]
            self.answer(request, pb_utils.InferenceResponse(outputs))

    def extract(self, request):
        return self.extractor.extract(read(request, "WAV"), read(request, "WAV_LENS"))

    @staticmethod
    def answer(request, response):
        request.get_response_sender().send(
            response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        )


def read(request, name):
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()
