"""Audio of streams, in pieces of any size, to the windows of the streaming encoder."""

import json

import numpy as np

from asr_core.features.fbank import KaldiNativeFbank
from asr_core.sequences.sessions import Reaper, SessionTable
from asr_core.sequences.turns import read_turn
from asr_core.streaming.frontend import no_windows
from asr_core.streaming.requests import StreamingExtractor
from asr_triton.answers import read, respond


class TritonPythonModel:
    """Passes errors on as data: an error of its own would hide START and END from the search."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        idle_s = int(config["sequence_batching"]["max_sequence_idle_microseconds"]) / 1e6
        max_audio_seconds = float(config["parameters"]["max_audio_seconds"]["string_value"])
        sessions = SessionTable(0, idle_s)  # the search limits their number
        self.reaper = Reaper(sessions.expire, idle_s / 4)
        self.extractor = StreamingExtractor(KaldiNativeFbank(), sessions, max_audio_seconds)

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def finalize(self):
        self.reaper.stop()

    def answer(self, request):
        turn = read_turn(request.correlation_id(), request.flags(), request.parameters())
        windows, error = no_windows(), ""
        try:
            windows = self.extractor.accept(turn, read(request, "WAV"), read(request, "WAV_LENS"))
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
