"""Windows of streams to text, with the encoder and decoder models called where there is work."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from asr_core.paraformer import load_paraformer_decoder
from asr_core.sequences import SequenceDispatcher
from asr_core.streaming import (
    DECODER_OUTPUTS,
    ENCODER_OUTPUTS,
    SearchRequest,
    StreamingRecogniser,
    StreamingSearchService,
    Update,
    Windows,
    load_streaming_model,
)
from asr_triton.answers import read_inputs, reply, turn_of
from asr_triton.calls import model_function
from asr_triton.decoding import hotword_settings
from asr_triton.memory import keep_freed_memory
from asr_triton.open_sessions import OpenSessions
from asr_triton.parameters import Parameters

Job = tuple[SearchRequest, Any]  # with the sender of its response


class TritonPythonModel:
    """Answers the streams that wait in batches, one at a time on each core."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load vocabulary and hotwords, keep a table of streams, start the workers."""
        keep_freed_memory()
        parameters, folder = Parameters(args), Path(pb_utils.get_model_dir())
        self.sessions = OpenSessions(parameters)
        windows = parameters.integer("max_batch_size") or (256 if parameters.on_gpu else 32)
        recogniser = StreamingRecogniser(
            load_streaming_model(folder),
            model_function("streaming_encoder", ENCODER_OUTPUTS),
            model_function("streaming_decoder", DECODER_OUTPUTS),
            windows,
            load_paraformer_decoder(folder, hotword_settings(parameters)),
        )
        self.service = StreamingSearchService(recogniser, self.sessions.table)
        cores = len(os.sched_getaffinity(0)) // parameters.instances
        self.dispatcher: SequenceDispatcher[Job] = SequenceDispatcher(
            self.answer,
            parameters.integer("parallel_batches") or (1 if parameters.on_gpu else max(cores, 1)),
            2 * windows,  # of what waits, two calls at most
            cost=lambda job: len(job[0].windows),
        )

    def execute(self, requests: Sequence[Any]) -> None:
        """Hand the requests to the workers, but for those that need no graph."""
        jobs = [(read_request(request), request.get_response_sender()) for request in requests]
        self.dispatcher.submit([(job[0].turn.key, job) for job in jobs])

    def answer(self, jobs: Sequence[Job]) -> None:
        """Advance the streams of some requests and send what they brought."""
        answers = self.service.answer([request for request, _ in jobs])
        self.sessions.show()
        for (_, sender), answer in zip(jobs, answers, strict=True):
            response = reply(answer, Update.outputs)
            sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self) -> None:
        """Let the workers finish."""
        self.dispatcher.close()
        self.sessions.close()


def read_request(request: Any) -> SearchRequest:
    """Return what is asked."""
    inputs = read_inputs(request)
    first_position = int(inputs["first_position"][0, 0])
    fbank, positions = inputs["fbank"][0], inputs["positions"][0]
    error = inputs["error"][0, 0].decode()
    return SearchRequest(turn_of(request), Windows(fbank, first_position, positions), error)
