"""The two sequence models of streaming Paraformer: who owns which state, and how it ends.

Both keep a table of their own. An error frees the sequence in both, since the first passes it on
as data: answered by the first, it would hide START and END from the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_contract import (
    DEFAULT_CHUNK_SIZE,
    ChunkSize,
    checked_hotwords,
    parse_hotwords,
    parse_served_chunk_size,
)
from asr_contract.tensors import CHUNK_SIZE_PARAMETER
from asr_core.features import StreamingFbankExtractor, split_rows
from asr_core.sequences import SessionTable, Turn
from asr_core.streaming.frontend import StreamingFrontend, Windows
from asr_core.streaming.recogniser import Step, Stream, StreamingRecogniser, Update


def requested_chunk_size(turn: Turn) -> ChunkSize:
    """Return what the client asks for at the start, by default 600 ms and 300 ms of look-ahead.

    Raises:
        ValueError: there is no such chunk size.
    """
    asked = turn.parameters.get(CHUNK_SIZE_PARAMETER, DEFAULT_CHUNK_SIZE)
    return parse_served_chunk_size(str(asked))


class StreamingFeatureService:
    """Answers the requests of the first model: audio of many sequences to encoder windows.

    Args:
        fbank: waveform to log-mel energies.
        sessions: the front ends of the open sequences.
        max_audio_seconds: longest piece accepted in one request.
    """

    def __init__(
        self,
        fbank: StreamingFbankExtractor,
        sessions: SessionTable[StreamingFrontend],
        max_audio_seconds: float,
    ) -> None:
        self._fbank = fbank
        self._sessions = sessions
        self._max_audio_seconds = max_audio_seconds

    def accept(
        self, turn: Turn, waveforms: NDArray[np.float32], lengths: NDArray[np.int32]
    ) -> Windows:
        """Take the samples of one request, float32 [1, S] and int32 [1, 1].

        Raises:
            ValueError: audio or options are not acceptable, or there is no such sequence; its
                state, if any, has been dropped.
        """
        try:
            if turn.starts:
                # What the search would refuse is refused here, while both forget the sequence.
                parse_hotwords(checked_hotwords(turn.parameters))
                frontend = StreamingFrontend(self._fbank, requested_chunk_size(turn))
                self._sessions.open(turn.key, frontend)
            (row,) = split_rows(waveforms, lengths, self._max_audio_seconds)
            windows = self._sessions.get(turn.key).accept(row, turn.ends)
        except ValueError:
            self._sessions.close(turn.key)
            raise
        if turn.ends:
            self._sessions.close(turn.key)
        return windows


@dataclass(frozen=True)
class SearchRequest:
    """What the extractor passes on: windows, or the error that ended the sequence."""

    turn: Turn
    windows: Windows
    error: str = ""


class StreamingSearchService:
    """Answers the requests of the second model: windows of many sequences to text.

    Args:
        recogniser: advances many streams at once.
        sessions: their states.
    """

    def __init__(self, recogniser: StreamingRecogniser, sessions: SessionTable[Stream]) -> None:
        self._recogniser = recogniser
        self._sessions = sessions

    def answer(self, requests: Sequence[SearchRequest]) -> list[Update | Exception]:
        """Answer requests of different sequences.

        Returns:
            for each an update, a ValueError if it is at fault, or another exception if encoder or
            decoder failed. Whatever is answered with an exception has no state any more.
        """
        answers: dict[int, Update | Exception] = {}
        steps: dict[int, Step] = {}
        for index, request in enumerate(requests):
            try:
                stream = self._stream(request)
                steps[index] = Step(stream, request.windows, request.turn.ends)
            except ValueError as error:
                answers[index] = error
        try:
            updates: Sequence[Update | Exception] = self._recogniser.advance([*steps.values()])
        except Exception as error:  # which streams it left half advanced is not known
            updates = [error] * len(steps)
        answers.update(zip(steps, updates, strict=True))
        for index, request in enumerate(requests):
            if request.turn.ends or isinstance(answers[index], Exception):
                self._sessions.close(request.turn.key)
        return [answers[index] for index in range(len(requests))]

    def _stream(self, request: SearchRequest) -> Stream:
        """Return the state that a request continues or begins.

        Raises:
            ValueError: the extractor refused it, too many are open, or there is none.
        """
        turn = request.turn
        if request.error:
            raise ValueError(request.error)
        if turn.starts:
            size, hotwords = requested_chunk_size(turn), checked_hotwords(turn.parameters)
            self._sessions.open(turn.key, self._recogniser.open(size, hotwords))
        return self._sessions.get(turn.key)
