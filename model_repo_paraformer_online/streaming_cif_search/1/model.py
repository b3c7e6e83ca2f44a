"""Windows of streams to text, with the encoder and decoder models called where there is work."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from asr_contract.cores import usable_cores
from asr_core.paraformer import load_paraformer_decoder
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
from asr_triton.inherited import close_inherited_connections
from asr_triton.memory import keep_freed_memory
from asr_triton.open_sessions import OpenSessions
from asr_triton.parameters import Parameters
from asr_triton.workers import SequenceAnswers


class TritonPythonModel:
    """Answers the streams that wait in batches: on a CPU one on each core, on a GPU one."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load vocabulary and hotwords, keep a table of streams, start the workers."""
        close_inherited_connections()
        keep_freed_memory()
        parameters, folder = Parameters(args), Path(pb_utils.get_model_dir())
        self.sessions = OpenSessions(parameters)
        windows = parameters.integer("max_batch_size") or (96 if parameters.on_gpu else 32)
        recogniser = StreamingRecogniser(
            load_streaming_model(folder),
            model_function("streaming_encoder", ENCODER_OUTPUTS),
            model_function("streaming_decoder", DECODER_OUTPUTS),
            windows,
            load_paraformer_decoder(folder, hotword_settings(parameters)),
        )
        self.service = StreamingSearchService(recogniser, self.sessions.table)
        cores = usable_cores() // parameters.instances
        workers = parameters.integer("parallel_batches") or (1 if parameters.on_gpu else cores)
        self.answers = SequenceAnswers(
            self.answer,
            workers,
            2 * windows,  # of what waits, two calls at most
            cost=lambda asked: len(asked.windows),
            key=lambda asked: asked.turn.key,
        )

    def execute(self, requests: Sequence[Any]) -> list[Any] | None:
        """Answer the requests, or leave them to the workers, but for those that need no graph."""
        return self.answers.execute(requests, [read_request(request) for request in requests])

    def answer(self, requests: Sequence[SearchRequest]) -> list[Any]:
        """Advance the streams of some requests and return what they brought."""
        answers = self.service.answer(requests)
        self.sessions.show()
        return [reply(answer, Update.outputs) for answer in answers]

    def finalize(self) -> None:
        """Let the workers finish."""
        self.answers.close()
        self.sessions.close()


def read_request(request: Any) -> SearchRequest:
    """Return what is asked."""
    inputs = read_inputs(request)
    first_position = int(inputs["first_position"][0, 0])
    windows = Windows(inputs["fbank"][0], first_position, inputs["positions"][0])
    return SearchRequest(turn_of(request), windows, inputs["error"][0, 0].decode())
