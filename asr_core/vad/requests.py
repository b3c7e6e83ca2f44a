"""The VAD model's requests: streams are opened, fed, scored together and closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract.tensors import IS_FINAL, SEGMENTS
from asr_core.features import split_rows
from asr_core.sequences import SessionTable, Turn
from asr_core.vad.options import override_options
from asr_core.vad.scoring import VadEncoder, VadModel, VadStream, score_streams


@dataclass(frozen=True)
class VadRequest:
    """A piece of a stream.

    Attributes:
        turn: its place; the options of the VAD are among its parameters.
        waveforms, lengths: float32 [1, S] and int32 [1, 1], as `split_rows` takes them.
    """

    turn: Turn
    waveforms: NDArray[np.float32]
    lengths: NDArray[np.int32]


@dataclass(frozen=True)
class VadAnswer:
    """What a piece of a stream brought.

    Attributes:
        segments: int32 [n, 2], start and end in ms, -1 for what another piece has or will have.
        is_final: the stream ended.
    """

    segments: NDArray[np.int32]
    is_final: bool

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Return SEGMENTS int32 [1, n, 2] and IS_FINAL bool [1, 1]."""
        return {SEGMENTS: self.segments[np.newaxis], IS_FINAL: np.array([[self.is_final]])}


class VadService:
    """Answers the VAD's requests, each a piece of one of the open streams.

    A request that starts a stream under the key of an open one begins anew. A request that
    fails ends its stream; what follows it without a start is refused.

    Args:
        model: what all streams share.
        table: limits them.
        max_audio_seconds: longest piece accepted.
    """

    def __init__(
        self, model: VadModel, table: SessionTable[VadStream], max_audio_seconds: float
    ) -> None:
        self._model = model
        self._table = table
        self._max_audio_seconds = max_audio_seconds

    def answer(
        self, requests: Sequence[VadRequest], encode: VadEncoder
    ) -> list[VadAnswer | Exception]:
        """Answer one request of each of several streams, scored together.

        Returns:
            For each request its answer; a ValueError if it is at fault, or another exception if
            the encoder failed. Whatever is answered with an exception has no state any more.
        """
        fed = [self._feed(request) for request in requests]
        failure: Exception | None = None
        try:
            score_streams([stream for stream in fed if isinstance(stream, VadStream)], encode)
        except Exception as error:  # which streams it left half scored is not known
            failure = error
        answers: list[VadAnswer | Exception] = []
        for request, stream in zip(requests, fed, strict=True):
            if isinstance(stream, ValueError):
                answers.append(stream)
            elif failure is not None:
                answers.append(failure)
            else:
                segments = np.array(stream.take_segments(), np.int32).reshape(-1, 2)
                answers.append(VadAnswer(segments, request.turn.ends))
            if request.turn.ends or isinstance(answers[-1], Exception):
                self._table.close(request.turn.key)
        return answers

    def _feed(self, request: VadRequest) -> VadStream | ValueError:
        """Hand a request's audio to its stream, or say why not."""
        try:
            (samples,) = split_rows(request.waveforms, request.lengths, self._max_audio_seconds)
            if request.turn.starts:
                options = override_options(self._model.options, request.turn.parameters)
                stream = VadStream(self._model, options)
                if not request.turn.ends:  # a whole recording in one request needs no place
                    self._table.open(request.turn.key, stream)
            else:
                stream = self._table.get(request.turn.key)
        except ValueError as error:
            return error
        stream.push(samples, request.turn.ends)
        return stream
