"""Audio of streams, in pieces of any size, to the windows of the streaming encoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asr_core.features import make_streaming_fbank
from asr_core.sequences import Reaper, SessionTable
from asr_core.streaming import StreamingFeatureService, StreamingFrontend, no_windows
from asr_triton.answers import read_inputs, respond, turn_of
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Passes errors on as data: an error of its own would hide START and END from the search."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Keep a table of streams; the search limits their number."""
        close_inherited_connections()
        parameters = Parameters(args)
        idle_s = parameters.sequence_idle_s
        sessions = SessionTable[StreamingFrontend](0, idle_s)
        self.reaper = Reaper(sessions.expire, idle_s / 4)
        fbank = make_streaming_fbank(parameters.text("fbank"))
        max_audio_seconds = parameters.number("max_audio_seconds")
        self.service = StreamingFeatureService(fbank, sessions, max_audio_seconds)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Return the windows that each request completes."""
        return [self.answer(request) for request in requests]

    def finalize(self) -> None:
        """Stop looking after the streams."""
        self.reaper.stop()

    def answer(self, request: Any) -> Any:
        """Return a request's response."""
        turn, windows, error = turn_of(request), no_windows(), ""
        inputs = read_inputs(request)
        try:
            windows = self.service.accept(turn, inputs["WAV"], inputs["WAV_LENS"])
        except ValueError as refusal:
            error = str(refusal)
        return respond(
            {
                "fbank": windows.fbank[None],
                "first_position": np.array([[windows.first_position]], np.int32),
                "positions": windows.positions[None],
                "error": np.array([[error]], np.object_),
            }
        )
