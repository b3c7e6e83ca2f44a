"""Waveforms to features for SenseVoice's encoder; checks the prompt ids before they reach it."""

import json

from asr_contract import refuse_hotwords, requested_hotwords
from asr_core.sensevoice.scoring import check_prompt_ids
from asr_triton.answers import read
from asr_triton.feature_extraction import answer_in_groups, build_extractor


class TritonPythonModel:
    """Answers a batch in groups of one length, so that the encoder can join them."""

    def initialize(self, args):
        settings = json.loads(args["model_config"])["parameters"]
        parameters = {name: value["string_value"] for name, value in settings.items()}
        self.extractor = build_extractor(args, parameters)

    def execute(self, requests):
        answer_in_groups(requests, self.extractor, self.extract)

    def extract(self, request):
        refuse_hotwords(requested_hotwords(request.parameters()), "SenseVoice")
        waveforms = read(request, "WAV")
        prompt = {"language": read(request, "LANGUAGE"), "textnorm": read(request, "TEXT_NORM")}
        check_prompt_ids(*prompt.values(), len(waveforms))
        return self.extractor.extract(waveforms, read(request, "WAV_LENS")), prompt
