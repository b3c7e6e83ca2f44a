"""Where speech is in a stream: a sequence of requests to the model `vad`.

Each request holds WAV FP32 [1, samples] and WAV_LENS INT32 [1, 1]; the one that starts the
sequence carries the options as request parameters. Each is answered by SEGMENTS INT32 [1, n, 2]:
start and end in ms, -1 for what another answer says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import VAD_MODEL
from asr_contract.tensors import SEGMENTS

from ..audio.waveform import Waveform
from ..errors import AsrError, ProtocolError
from ..protocol import InferRequest, SequenceStep, audio_inputs
from ..streaming.protocol import CLOSE_TIMEOUT_S, KEEP_ALIVE_S, new_sequence_id, opening_failure
from ..transport import RequestStream, Transport

_NO_AUDIO = np.zeros(0, np.float32)

Rows = list[tuple[int, int]]
UNKNOWN = -1  # in a row: the start was said before, or the end comes later


class SpeechDetector:
    """One sequence of the model `vad`, to be used `async with`; leaving it in any way ends it.

    The first audio starts the sequence, and the last may end it: each request waits for its turn
    behind those of other files.

    Args:
        parameters: of the request that starts the sequence.
        timeout_s: for each request.
    """

    def __init__(
        self, transport: Transport, parameters: Mapping[str, str], timeout_s: float
    ) -> None:
        self._transport = transport
        self._parameters = dict(parameters)
        self._timeout_s = timeout_s
        self._sequence_id = new_sequence_id()
        self._stream: RequestStream | None = None
        self._turn = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._last_request_s = 0.0
        self._started = self._ended = False

    async def __aenter__(self) -> SpeechDetector:
        return self

    async def __aexit__(self, *error: object) -> None:
        leaving = asyncio.create_task(self._leave())
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:  # it takes seconds at most, and nobody else would do it
            await asyncio.wait({leaving})
            raise

    async def accept(self, waveform: Waveform, *, is_last: bool = False) -> Rows:
        """Send audio and return the segments that it brought.

        Args:
            waveform: [samples] float32 at 16 kHz.
            is_last: it ends the sequence; all segments are closed.

        Raises:
            SessionLimitReached: the VAD has as many sequences open as it allows.
            AsrError: the others of `errors`.
        """
        async with self._turn:
            request = self._request(waveform, start=not self._started, end=is_last)
            if self._stream is not None:
                outputs = await self._stream.exchange(request, self._timeout_s)
            else:
                outputs = await self._start(request)
            rows = _rows(outputs)
            self._last_request_s = time.monotonic()
            self._ended = is_last
            return rows

    async def finish(self) -> Rows:
        """End the sequence and return its last segments; as `accept`."""
        return await self.accept(_NO_AUDIO, is_last=True)

    async def _start(self, request: InferRequest) -> Mapping[str, NDArray[Any]]:
        """Send the request that starts the sequence."""
        self._started = True
        try:
            outputs = await self._transport.infer(request, self._timeout_s)
        except AsrError as error:
            if (failure := opening_failure(error)) is not error:
                raise failure from error
            raise
        if request.step is None or not request.step.end:
            self._stream = self._transport.open_stream()
            self._keeper = asyncio.create_task(self._keep_alive())
        return outputs

    async def _keep_alive(self) -> None:
        """Send requests without audio while there is none; they bring nothing."""
        while True:
            idle_s = time.monotonic() - self._last_request_s
            await asyncio.sleep(max(KEEP_ALIVE_S - idle_s, 1.0))
            if self._ended:
                return
            if self._turn.locked() or time.monotonic() - self._last_request_s < KEEP_ALIVE_S:
                continue
            with suppress(AsrError):  # the next audio meets the same, and reports it
                await self.accept(_NO_AUDIO)

    async def _leave(self) -> None:
        """Let go of everything; an unfinished sequence is ended on the server."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._stream is not None:
            await self._stream.close()
        if self._started and not self._ended:
            self._ended = True
            with suppress(AsrError):
                request = self._request(_NO_AUDIO, end=True)
                await self._transport.infer(request, min(self._timeout_s, CLOSE_TIMEOUT_S))

    def _request(
        self, waveform: Waveform, *, start: bool = False, end: bool = False
    ) -> InferRequest:
        step = SequenceStep(self._sequence_id, start=start, end=end)
        parameters = self._parameters if start else {}
        return InferRequest(VAD_MODEL, audio_inputs([waveform]), step, parameters)


def _rows(outputs: Mapping[str, NDArray[Any]]) -> Rows:
    """Return SEGMENTS as pairs."""
    segments = outputs.get(SEGMENTS)
    if segments is None or segments.ndim != 3 or segments.shape[::2] != (1, 2):
        got = sorted(outputs) if segments is None else list(segments.shape)
        raise ProtocolError(f"model {VAD_MODEL!r}: expected SEGMENTS [1, n, 2]; got {got}")
    return [(int(start), int(end)) for start, end in segments[0]]
