"""Audio of streams to segments of speech, with the encoder model called for all of them at once."""

import json
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.sessions import Reaper, SessionTable
from asr_core.vad import load_vad
from asr_core.vad_sessions import VadRequest, VadSessions

START, END = 1, 2  # of a request's flags


class TritonPythonModel:
    """Answers all waiting streams together."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        idle_s = int(config["sequence_batching"]["max_sequence_idle_microseconds"]) / 1e6
        settings = {name: float(p["string_value"]) for name, p in config["parameters"].items()}
        self.sessions = SessionTable(int(settings["max_sessions"]), idle_s)
        self.vad = VadSessions(
            load_vad(Path(pb_utils.get_model_dir())), self.sessions, settings["max_audio_seconds"]
        )
        self.metrics = pb_utils.MetricFamily(  # has to outlive its gauge
            name="asr_open_sessions",
            description="Streams whose state is kept",
            kind=pb_utils.MetricFamily.GAUGE,
        )
        self.open_sessions = self.metrics.Metric(labels={"model": args["model_name"]})
        self.reaper = Reaper(self.expire, idle_s / 4)

    def execute(self, requests):
        answers = self.vad.answer([read_request(request) for request in requests], encode)
        self.open_sessions.set(len(self.sessions))
        return [respond(answer) for answer in answers]

    def finalize(self):
        self.reaper.stop()

    def expire(self):
        self.open_sessions.set(self.sessions.expire())


def read_request(request):
    wav, wav_lens = (
        pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("WAV", "WAV_LENS")
    )
    return VadRequest(
        request.correlation_id(),
        bool(request.flags() & START),
        bool(request.flags() & END),
        wav,
        wav_lens,
        json.loads(request.parameters()),
    )


def respond(answer):
    if isinstance(answer, ValueError):
        refusal = pb_utils.TritonError(str(answer), pb_utils.TritonError.INVALID_ARG)
        return pb_utils.InferenceResponse(error=refusal)
    if isinstance(answer, Exception):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(answer)))
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor("SEGMENTS", answer.segments[np.newaxis]),
            pb_utils.Tensor("IS_FINAL", np.array([[answer.is_final]])),
        ]
    )


def encode(speech, speech_lengths, cache):
    """Run the encoder model; the arrays are copies, since its memory goes with the response."""
    inputs = {"speech": speech, "speech_lengths": speech_lengths, "cache": cache}
    outputs = ("silence_probs", "next_cache")
    response = pb_utils.InferenceRequest(
        model_name="vad_encoder",
        requested_output_names=list(outputs),
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU),
    ).exec()
    if response.has_error():
        raise RuntimeError(f"vad_encoder: {response.error().message()}")
    return [
        pb_utils.get_output_tensor_by_name(response, name).as_numpy().copy() for name in outputs
    ]
