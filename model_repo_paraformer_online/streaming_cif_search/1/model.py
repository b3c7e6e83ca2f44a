"""Windows of streams to text, with the encoder and decoder models called where there is work."""

import json
import os
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.dispatcher import SequenceDispatcher
from asr_core.online import OnlineRecogniser, load_online_model
from asr_core.sessions import Reaper, SessionTable
from asr_core.streaming_frontend import Windows
from asr_core.streaming_models import SearchRequest, StreamingSearch, read_turn
from asr_core.word_tensors import pack_words


class TritonPythonModel:
    """Answers the streams that wait in batches, one at a time on each core."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        idle_s = int(config["sequence_batching"]["max_sequence_idle_microseconds"]) / 1e6
        settings = {name: int(p["string_value"]) for name, p in config["parameters"].items()}
        self.sessions = SessionTable(settings["max_sessions"], idle_s)
        on_gpu = args["model_instance_kind"] == "GPU"
        model = load_online_model(Path(pb_utils.get_model_dir()))
        recogniser = OnlineRecogniser(model, encode, decode, settings["max_batch_size"])
        self.search = StreamingSearch(recogniser, self.sessions)
        self.metrics = pb_utils.MetricFamily(  # has to outlive its gauge
            name="asr_open_sessions",
            description="Streams whose state is kept",
            kind=pb_utils.MetricFamily.GAUGE,
        )
        self.open_sessions = self.metrics.Metric(labels={"model": args["model_name"]})
        self.reaper = Reaper(self.expire, idle_s / 4)
        workers = settings["parallel_batches"] or (1 if on_gpu else len(os.sched_getaffinity(0)))
        self.dispatcher = SequenceDispatcher(self.answer, workers, int(config["max_batch_size"]))

    def execute(self, requests):
        """Hands the requests to the workers, which answer them."""
        jobs = [(read_request(request), request.get_response_sender()) for request in requests]
        self.dispatcher.submit([(job[0].turn.key, job) for job in jobs])

    def answer(self, jobs):
        answers = self.search.answer([request for request, _ in jobs])
        self.open_sessions.set(len(self.sessions))
        for (_, sender), answer in zip(jobs, answers, strict=True):
            sender.send(respond(answer), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self):
        self.dispatcher.close()
        self.reaper.stop()

    def expire(self):
        self.open_sessions.set(self.sessions.expire())


def read_request(request):
    """Copies what is asked: the request's memory is Triton's again once `execute` returns."""
    fbank, first_position, positions, error = (
        pb_utils.get_input_tensor_by_name(request, name).as_numpy()[0].copy()
        for name in ("fbank", "first_position", "positions", "error")
    )
    return SearchRequest(
        read_turn(request.correlation_id(), request.flags(), request.parameters()),
        Windows(fbank, int(first_position[0]), positions),
        error[0].decode(),
    )


def respond(answer):
    if isinstance(answer, ValueError):
        refusal = pb_utils.TritonError(str(answer), pb_utils.TritonError.INVALID_ARG)
        return pb_utils.InferenceResponse(error=refusal)
    if isinstance(answer, Exception):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(answer)))
    packed = pack_words([answer.words])
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor("TRANSCRIPTS", np.array([[answer.new_text]], np.object_)),
            pb_utils.Tensor("TEXT", np.array([[answer.text]], np.object_)),
            pb_utils.Tensor("TOKENS", packed.tokens),
            pb_utils.Tensor("TIMESTAMPS", packed.timestamps),
            pb_utils.Tensor("CONFIDENCE", packed.confidence),
            pb_utils.Tensor("IS_FINAL", np.array([[answer.is_final]])),
        ]
    )


def encode(fbank, first_position, positions, window_lengths):
    inputs = {
        "fbank": fbank,
        "first_position": first_position,
        "positions": positions,
        "window_lengths": window_lengths,
    }
    return call("streaming_encoder", inputs, ("hidden", "alphas"))


def decode(hidden, hidden_lengths, acoustic_embeds, embeds_lengths, cache):
    inputs = {
        "hidden": hidden,
        "hidden_lengths": hidden_lengths,
        "acoustic_embeds": acoustic_embeds,
        "embeds_lengths": embeds_lengths,
        "cache": cache,
    }
    return call("streaming_decoder", inputs, ("token_ids", "token_scores", "next_cache"))


def call(model, inputs, outputs):
    """Run another model; the arrays are copies, since its memory goes with the response."""
    response = pb_utils.InferenceRequest(
        model_name=model,
        requested_output_names=list(outputs),
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU),
    ).exec()
    if response.has_error():
        raise RuntimeError(f"{model}: {response.error().message()}")
    return [
        pb_utils.get_output_tensor_by_name(response, name).as_numpy().copy() for name in outputs
    ]
