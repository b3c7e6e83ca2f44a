"""Text to punctuated text, with the encoder model called for all requests at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_core.punctuation import (
    Punctuated,
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
    """Answers a batch together; a row's marks do not depend on the others."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the vocabulary and the marks."""
        close_inherited_connections()
        parameters = Parameters(args)
        self.service = PunctuationService(
            load_punctuation(Path(pb_utils.get_model_dir())),
            streaming=False,
            max_words=parameters.integer("max_words"),
            max_batch_size=parameters.integer("max_batch_size"),
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Punctuate the texts of all requests."""
        read_requests = [PunctuationRequest(read_inputs(request)["TEXT"]) for request in requests]
        with calls_for(requests):
            answers = self.service.answer(read_requests, tag)
        return [reply(answer, outputs) for answer in answers]


def outputs(rows: Sequence[Punctuated]) -> dict[str, NDArray[Any]]:
    """Return what a request gets; a whole text has nothing that continues it."""
    return {name: array for name, array in pack_punctuated(rows).items() if name != "CACHE"}


def tag(*, word_ids: NDArray[Any], word_lengths: NDArray[Any], **_: object) -> NDArray[Any]:
    """Choose marks by the encoder model, which knows no context."""
    inputs = {"word_ids": word_ids, "word_lengths": word_lengths}
    (marks,) = run_model("punctuation_encoder", inputs, ("punctuations",))
    return marks
