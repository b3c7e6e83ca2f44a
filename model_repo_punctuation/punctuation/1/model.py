"""Text to punctuated text, with the encoder model called for all requests at once."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.punctuation import load_punctuation
from asr_core.punctuation_requests import (
    PunctuationRequest,
    Punctuator,
    pack_mark_ids,
    pack_strings,
)


class TritonPythonModel:
    """Answers a batch together; a row's marks do not depend on the others."""

    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        settings = {name: int(value["string_value"]) for name, value in parameters.items()}
        self.punctuator = Punctuator(
            load_punctuation(Path(pb_utils.get_model_dir())), online=False, **settings
        )

    def execute(self, requests):
        read = [PunctuationRequest(read_strings(request, "TEXT")) for request in requests]
        return [respond(answer) for answer in self.punctuator.answer(read, tag)]


def read_strings(request, name):
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def respond(answer):
    if isinstance(answer, ValueError):
        refusal = pb_utils.TritonError(str(answer), pb_utils.TritonError.INVALID_ARG)
        return pb_utils.InferenceResponse(error=refusal)
    if isinstance(answer, Exception):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(answer)))
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor("TEXT", np.array([[row.text] for row in answer], np.object_)),
            pb_utils.Tensor("WORDS", pack_strings([row.words for row in answer])),
            pb_utils.Tensor("MARKS", pack_strings([row.marks for row in answer])),
            pb_utils.Tensor("PUNCTUATIONS", pack_mark_ids([row.mark_ids for row in answer])),
        ]
    )


def tag(word_ids, word_lengths, _vad_indexes):
    """Run the encoder model; the array is a copy, since its memory goes with the response."""
    inputs = {"word_ids": word_ids, "word_lengths": word_lengths}
    response = pb_utils.InferenceRequest(
        model_name="punctuation_encoder",
        requested_output_names=["punctuations"],
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU),
    ).exec()
    if response.has_error():
        raise RuntimeError(f"punctuation_encoder: {response.error().message()}")
    return pb_utils.get_output_tensor_by_name(response, "punctuations").as_numpy().copy()
