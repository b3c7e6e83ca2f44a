"""Pieces of growing texts to punctuated ones, with the encoder model called for all at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_core.punctuation import (
    PunctuationRequest,
    PunctuationService,
    load_punctuation,
    pack_punctuated,
)
from asr_triton.answers import read_inputs, reply
from asr_triton.calls import calls_for, run_model
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Keeps nothing: what a text continues comes with it."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the vocabulary and the marks."""
        close_inherited_connections()
        parameters = Parameters(args)
        self.service = PunctuationService(
            load_punctuation(Path(pb_utils.get_model_dir())),
            streaming=True,
            max_words=parameters.integer("max_words"),
            max_batch_size=parameters.integer("max_batch_size"),
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Punctuate the pieces of all requests."""
        read_requests = [
            PunctuationRequest(inputs["TEXT"], inputs.get("CACHE"))
            for inputs in map(read_inputs, requests)
        ]
        with calls_for(requests):
            answers = self.service.answer(read_requests, tag)
        return [reply(answer, pack_punctuated) for answer in answers]


def tag(**inputs: NDArray[Any]) -> NDArray[Any]:
    """Choose marks by the encoder model."""
    (marks,) = run_model("punctuation_online_encoder", inputs, ("punctuations",))
    return marks
