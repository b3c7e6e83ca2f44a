"""Waveforms to features for SenseVoice's encoder; checks the prompt ids before they reach it."""

import json
from pathlib import Path

import triton_python_backend_utils as pb_utils

from asr_core.feature_extractor import load_feature_extractor
from asr_core.hotwords import read_parameter, refuse_hotwords
from asr_core.sensevoice import check_prompt_ids


class TritonPythonModel:
    """Answers a batch in groups of one length, so that the encoder can join them."""

    def initialize(self, args):
        settings = json.loads(args["model_config"])["parameters"]
        parameters = {name: value["string_value"] for name, value in settings.items()}
        on_gpu = args["model_instance_kind"] == "GPU"
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        self.extractor = load_feature_extractor(Path(pb_utils.get_model_dir()), parameters, device)

    def execute(self, requests):
        accepted, features = [], []
        for request in requests:
            try:
                features.append(self.extract(request))
                accepted.append(request)
            except ValueError as error:
                refusal = pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG)
                self.answer(request, pb_utils.InferenceResponse(error=refusal))
        for padded in self.extractor.pad(features):
            request = accepted[padded.index]
            outputs = [
                pb_utils.Tensor("speech", padded.speech),
                pb_utils.Tensor("speech_lengths", padded.lengths),
                pb_utils.Tensor("language", read(request, "LANGUAGE")),
                pb_utils.Tensor("textnorm", read(request, "TEXT_NORM")),
            ]
            self.answer(request, pb_utils.InferenceResponse(outputs))

    def extract(self, request):
        refuse_hotwords(read_parameter(request.parameters()), "SenseVoice")
        waveforms = read(request, "WAV")
        check_prompt_ids(read(request, "LANGUAGE"), read(request, "TEXT_NORM"), len(waveforms))
        return self.extractor.extract(waveforms, read(request, "WAV_LENS"))

    @staticmethod
    def answer(request, response):
        request.get_response_sender().send(
            response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        )


def read(request, name):
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()
