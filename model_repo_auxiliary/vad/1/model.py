"""Audio of streams to segments of speech, with the encoder model called for all of them at once."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.sequences.turns import read_turn
from asr_core.vad.requests import VadRequest, VadSessions
from asr_core.vad.scoring import load_vad
from asr_triton.answers import read, refuse, respond
from asr_triton.calls import run_model
from asr_triton.open_sessions import OpenSessions


class TritonPythonModel:
    """Answers all waiting streams together."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        settings = {name: float(p["string_value"]) for name, p in config["parameters"].items()}
        self.sessions = OpenSessions(args["model_name"], config, int(settings["max_sessions"]))
        model = load_vad(Path(pb_utils.get_model_dir()))
        self.vad = VadSessions(model, self.sessions.table, settings["max_audio_seconds"])

    def execute(self, requests):
        answers = self.vad.answer([read_request(request) for request in requests], encode)
        self.sessions.show()
        return [answer_request(answer) for answer in answers]

    def finalize(self):
        self.sessions.close()


def read_request(request):
    turn = read_turn(request.correlation_id(), request.flags(), request.parameters())
    return VadRequest(turn, read(request, "WAV"), read(request, "WAV_LENS"))


def answer_request(answer):
    if isinstance(answer, Exception):
        return refuse(answer)
    is_final = np.array([[answer.is_final]])
    return respond({"SEGMENTS": answer.segments[np.newaxis], "IS_FINAL": is_final})


def encode(speech, speech_lengths, cache):
    inputs = {"speech": speech, "speech_lengths": speech_lengths, "cache": cache}
    return run_model("vad_encoder", inputs, ("silence_probs", "next_cache"))
