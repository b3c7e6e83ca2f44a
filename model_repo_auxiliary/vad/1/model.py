"""Audio of streams to segments of speech, with the encoder model called for all of them at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from asr_core.vad import VAD_ENCODER_OUTPUTS, VadAnswer, VadRequest, VadService, load_vad
from asr_triton.answers import read_inputs, reply, turn_of
from asr_triton.calls import calls_for, model_function
from asr_triton.inherited import close_inherited_connections
from asr_triton.open_sessions import OpenSessions
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers all waiting streams together."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the front end and the options, and keep a table of streams."""
        close_inherited_connections()
        parameters = Parameters(args)
        self.sessions = OpenSessions(parameters)
        self.encode = model_function("vad_encoder", VAD_ENCODER_OUTPUTS)
        model = load_vad(Path(pb_utils.get_model_dir()), parameters.text("fbank"))
        max_audio_seconds = parameters.number("max_audio_seconds")
        self.service = VadService(model, self.sessions.table, max_audio_seconds)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Feed each request's stream and return what it brought."""
        with calls_for(requests):
            read_requests = [read_request(request) for request in requests]
            answers = self.service.answer(read_requests, self.encode)
        self.sessions.show()
        return [reply(answer, VadAnswer.outputs) for answer in answers]

    def finalize(self) -> None:
        """Stop looking after the streams."""
        self.sessions.close()


def read_request(request: Any) -> VadRequest:
    """Return a request's audio with its place in the stream."""
    inputs = read_inputs(request)
    return VadRequest(turn_of(request), inputs["WAV"], inputs["WAV_LENS"])
