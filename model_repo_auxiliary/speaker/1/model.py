"""Recordings to the voices that they hold, with the encoder called for all of one length."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_core.speakers import SPEAKER_ENCODER_OUTPUTS, SpeakerRequest, SpeakerService
from asr_triton.answers import read_inputs, reply
from asr_triton.calls import calls_for, model_function
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers a batch together; a row's embedding does not depend on the others."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Make the front end."""
        close_inherited_connections()
        parameters = Parameters(args)
        self.encode = model_function("speaker_encoder", SPEAKER_ENCODER_OUTPUTS)
        self.service = SpeakerService(
            max_audio_seconds=parameters.number("max_audio_seconds"),
            max_batch_size=parameters.integer("max_batch_size"),
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Give the embedding of each recording of all requests."""
        with calls_for(requests):
            read_requests = [read_request(request) for request in requests]
            answers = self.service.answer(read_requests, self.encode)
        return [reply(answer, outputs) for answer in answers]


def read_request(request: Any) -> SpeakerRequest:
    """Return a request's recordings."""
    inputs = read_inputs(request)
    return SpeakerRequest(inputs["WAV"], inputs["WAV_LENS"])


def outputs(embeddings: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return what a request gets."""
    return {"EMBEDDING": embeddings}
