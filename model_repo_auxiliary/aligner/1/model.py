"""Recordings and their words to the words' times, with the encoder called for all of one length."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_core.alignment import ALIGNER_ENCODER_OUTPUTS, CifRequest, load_cif_alignment
from asr_triton.answers import read_inputs, reply
from asr_triton.calls import model_function
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers a batch together; a row's times do not depend on the others."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the front end and the table of English words."""
        close_inherited_connections()
        parameters = Parameters(args)
        self.encode = model_function("aligner_encoder", ALIGNER_ENCODER_OUTPUTS)
        self.service = load_cif_alignment(
            Path(pb_utils.get_model_dir()),
            max_audio_seconds=parameters.number("max_audio_seconds"),
            max_batch_size=parameters.integer("max_batch_size"),
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Place the words of each recording of all requests."""
        answers = self.service.answer([read_request(request) for request in requests], self.encode)
        return [reply(answer, outputs) for answer in answers]


def read_request(request: Any) -> CifRequest:
    """Return a request's recordings and words."""
    inputs = read_inputs(request)
    return CifRequest(inputs["WAV"], inputs["WAV_LENS"], inputs["WORDS"])


def outputs(times: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    """Return what a request gets."""
    return {"TIMESTAMPS": times}
