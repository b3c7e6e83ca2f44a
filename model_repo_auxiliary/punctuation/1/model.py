"""Text to punctuated text, with the encoder model called for all requests at once."""

import json
from pathlib import Path

import triton_python_backend_utils as pb_utils

from asr_core.punctuation.marking import load_punctuation
from asr_core.punctuation.requests import PunctuationRequest, Punctuator, pack_punctuated
from asr_triton.answers import read, refuse, respond
from asr_triton.calls import run_model


class TritonPythonModel:
    """Answers a batch together; a row's marks do not depend on the others."""

    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        settings = {name: int(value["string_value"]) for name, value in parameters.items()}
        model = load_punctuation(Path(pb_utils.get_model_dir()))
        self.punctuator = Punctuator(model, online=False, **settings)

    def execute(self, requests):
        read_requests = [PunctuationRequest(read(request, "TEXT")) for request in requests]
        return [answer_request(answer) for answer in self.punctuator.answer(read_requests, tag)]


def answer_request(answer):
    if isinstance(answer, Exception):
        return refuse(answer)
    outputs = pack_punctuated(answer)
    del outputs["CACHE"]  # a whole text has nothing that continues it
    return respond(outputs)


def tag(word_ids, word_lengths, _vad_indexes):
    inputs = {"word_ids": word_ids, "word_lengths": word_lengths}
    (marks,) = run_model("punctuation_encoder", inputs, ("punctuations",))
    return marks
