"""Windows of streams to text, with the encoder and decoder models called where there is work."""

import json
import os
from pathlib import Path

import triton_python_backend_utils as pb_utils

from asr_core.sequences.dispatcher import SequenceDispatcher
from asr_core.sequences.turns import read_turn
from asr_core.streaming.frontend import Windows
from asr_core.streaming.recogniser import OnlineRecogniser, load_online_model
from asr_core.streaming.requests import SearchRequest, StreamingSearch
from asr_triton.answers import read, refuse, respond
from asr_triton.calls import run_model
from asr_triton.open_sessions import OpenSessions


class TritonPythonModel:
    """Answers the streams that wait in batches, one at a time on each core."""

    def initialize(self, args):
        config = json.loads(args["model_config"])
        settings = {name: int(p["string_value"]) for name, p in config["parameters"].items()}
        self.sessions = OpenSessions(args["model_name"], config, settings["max_sessions"])
        model = load_online_model(Path(pb_utils.get_model_dir()))
        recogniser = OnlineRecogniser(model, encode, decode, settings["max_batch_size"])
        self.search = StreamingSearch(recogniser, self.sessions.table)
        on_gpu = args["model_instance_kind"] == "GPU"
        workers = settings["parallel_batches"] or (1 if on_gpu else len(os.sched_getaffinity(0)))
        self.dispatcher = SequenceDispatcher(
            self.answer,
            workers,
            int(config["max_batch_size"]),
            cost=lambda job: len(job[0].windows),
        )

    def execute(self, requests):
        """Hands the requests to the workers, but for those that need no graph."""
        jobs = [(read_request(request), request.get_response_sender()) for request in requests]
        self.dispatcher.submit([(job[0].turn.key, job) for job in jobs])

    def answer(self, jobs):
        answers = self.search.answer([request for request, _ in jobs])
        self.sessions.show()
        for (_, sender), answer in zip(jobs, answers, strict=True):
            response = (
                refuse(answer) if isinstance(answer, Exception) else respond(answer.outputs())
            )
            sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self):
        self.dispatcher.close()
        self.sessions.close()


def read_request(request):
    """Copies what is asked: the request's memory is Triton's again once `execute` returns."""
    turn = read_turn(request.correlation_id(), request.flags(), request.parameters())
    first_position = int(read(request, "first_position")[0, 0])
    fbank, positions = (read(request, name)[0].copy() for name in ("fbank", "positions"))
    error = read(request, "error")[0, 0].decode()
    return SearchRequest(turn, Windows(fbank, first_position, positions), error)


def encode(**inputs):
    return run_model("streaming_encoder", inputs, ("hidden", "alphas"))


def decode(**inputs):
    return run_model("streaming_decoder", inputs, ("token_ids", "token_scores", "next_cache"))
