"""Pieces of growing texts to punctuated ones, with the encoder model called for all at once."""

import json
from pathlib import Path

import triton_python_backend_utils as pb_utils

from asr_core.punctuation.marking import load_punctuation
from asr_core.punctuation.requests import PunctuationRequest, Punctuator, pack_punctuated
from asr_triton.answers import read, refuse, respond
from asr_triton.calls import run_model


class TritonPythonModel:
    """Keeps nothing: what a text continues comes with it."""

    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        settings = {name: int(value["string_value"]) for name, value in parameters.items()}
        model = load_punctuation(Path(pb_utils.get_model_dir()))
        self.punctuator = Punctuator(model, online=True, **settings)

    def execute(self, requests):
        read_requests = [read_request(request) for request in requests]
        return [answer_request(answer) for answer in self.punctuator.answer(read_requests, tag)]


def read_request(request):
    cache = pb_utils.get_input_tensor_by_name(request, "CACHE")
    return PunctuationRequest(read(request, "TEXT"), None if cache is None else cache.as_numpy())


def answer_request(answer):
    return refuse(answer) if isinstance(answer, Exception) else respond(pack_punctuated(answer))


def tag(word_ids, word_lengths, vad_indexes):
    inputs = {"word_ids": word_ids, "word_lengths": word_lengths, "vad_indexes": vad_indexes}
    (marks,) = run_model("punctuation_online_encoder", inputs, ("punctuations",))
    return marks
