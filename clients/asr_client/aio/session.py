"""The asynchronous streaming session."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from ..audio.waveform import Waveform
from ..cluster import Servers, has_another
from ..errors import AsrError, ClientClosed, ModelNotFound
from ..protocol import InferRequest
from ..results import Sentence, Transcript
from ..streaming.protocol import (
    CLOSE_TIMEOUT_S,
    KEEP_ALIVE_S,
    MAX_IN_FLIGHT_SAMPLES,
    MAX_REQUEST_SAMPLES,
    SequenceRequests,
    opening_failure,
)
from ..streaming.resuming import HeldAudio, ResumableTranscript, resume_at
from ..transport import RequestStream, Transport, is_outage
from .live_session import LiveSession
from .upkeep import end_when_dropped, keep_alive

# Servers that a session is lost with, one after the other, before one hears what is new.
_MAX_RESUMED = 3


class AsyncStreamSession(LiveSession):
    """Live recognition of one audio stream; `StreamSession` says what it promises.

    `AsyncClient.stream` makes it. It belongs to the event loop that runs. Cancelling a task in
    `send` may leave a part of its audio sent. Leaving `async with` in any way ends the sequence.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        requests: SequenceRequests,
        timeout_s: float,
    ) -> None:
        super().__init__(f"{url}: model {requests.model!r}")
        self._transcript: ResumableTranscript = ResumableTranscript(requests.model)
        self._transport = transport
        self._requests = requests
        self._timeout_s = timeout_s
        self._held: HeldAudio | None = HeldAudio() if isinstance(transport, Servers) else None
        self._resuming: asyncio.Task[None] | None = None
        self._resumed = 0  # times, since the server answered for more than ever before
        self._furthest = 0  # sample
        self._stream: RequestStream | None = None
        self._in_flight: dict[asyncio.Task[None], int] = {}  # samples of each
        self._newest: asyncio.Task[None] | None = None  # of those in flight
        self._cut_short = False  # it was closed before all audio was on the way
        self._end_sent = False
        self._closing: asyncio.Task[None] | None = None
        self._abandonment: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._dropped: weakref.finalize[..., object] | None = None  # what happens when it is
        self._last_request_s = 0.0

    @property
    def sequence_id(self) -> int:
        """Its number on the server, as the server's log and messages have it."""
        return self._requests.sequence_id

    @property
    def sentences(self) -> list[Sentence]:
        """None: a streaming model has no sentences. `AsyncStretchSession` has."""
        return []

    async def open(self) -> None:
        """Start the sequence; `async with` does it. As `StreamSession.open`."""
        if self._opened or self._closing is not None:
            raise ClientClosed(f"{self._where}: a session is opened once")
        self._opened = True
        request = self._requests.start()
        try:
            outputs = await self._transport.infer(request, self._timeout_s)
            self._transcript.accept(request, outputs)
            self._begin_stream()
            self._keeper = asyncio.create_task(keep_alive(weakref.ref(self)))
        except asyncio.CancelledError:
            self._lose(ClientClosed(f"{self._where}: opening was cancelled"))
            raise
        except AsrError as error:
            self._lose(error)
            await self.close()
            failure = opening_failure(error)
            if failure is error:
                raise
            raise failure from error
        self._go_on()  # END, if it was closed meanwhile

    def hold_nothing(self) -> None:
        """As `LiveSession.hold_nothing`."""
        self._held = None

    async def finish(self) -> Transcript:
        """End the stream and return the whole transcript; as `StreamSession.finish`."""
        async with self._sending:
            if not self._transcript.is_final:
                self._check_usable()
                for piece in self._reader.finish():  # often nothing, and at times several
                    self._hold(piece)
                self._ending = True
                self._go_on()
            while not self._transcript.is_final:
                await self._changed.wait()
                self._check_alive()
            if self._cut_short:
                raise ClientClosed(f"{self._where}: the session was closed before it was finished")
        await self.close()
        transcript = self._transcript.result()
        return replace(transcript, warnings=[*self._reader.warnings, *transcript.warnings])

    async def close(self) -> None:
        """Leave the session; as `StreamSession.close`."""
        if self._closing is None:
            self._cut_short = not self._ending or self._outbox.samples > 0
            self._ending = True
            self._outbox.clear()
            self._go_on()
            self._closing = asyncio.create_task(self._leave())
            self._notify()
        await asyncio.wait({self._closing}, timeout=CLOSE_TIMEOUT_S)

    async def _leave(self) -> None:
        """Wait until the sequence has ended on the server, and let go of the stream."""
        self._look_after_itself()
        while self._opened and not self._transcript.is_final and self._lost is None:
            await self._changed.wait()
        if self._abandonment is not None:
            await self._abandonment
        elif self._stream is not None:
            await self._stream.close()

    def _begin_stream(self) -> None:
        """Open the way for the requests behind START."""
        if self._dropped is not None:
            self._dropped.detach()
        self._stream = self._transport.open_stream()
        self._dropped = end_when_dropped(self, self._transport, self._stream, self._requests)

    @property
    def _is_left(self) -> bool:
        return self._closing is not None

    def _hold(self, piece: Waveform) -> None:
        super()._hold(piece)
        if self._held is not None:
            self._held.put(piece)

    def _go_on(self) -> None:
        """Put waiting audio, or END, on the way as long as there may be more in flight."""
        stream = self._stream
        while (
            stream is not None
            and self._lost is None
            and not self._end_sent
            and len(self._in_flight) < stream.max_in_flight
            and sum(self._in_flight.values()) < MAX_IN_FLIGHT_SAMPLES
            and (self._outbox.samples or self._ending)
        ):
            piece = self._outbox.take(MAX_REQUEST_SAMPLES)
            self._end_sent = self._ending and not self._outbox.samples
            self._send(stream, self._requests.audio(piece, end=self._end_sent), piece.size)

    def keep_alive(self) -> bool:
        """Tell the server that the session is only pausing, if it is; see `upkeep.Pausing`."""
        if self._lost is not None or self._ending:
            return False
        is_quiet = time.monotonic() - self._last_request_s > KEEP_ALIVE_S / 2
        if self._stream is not None and not self._in_flight and is_quiet:
            self._send(self._stream, self._requests.nothing())
        return True

    def _send(self, stream: RequestStream, request: InferRequest, samples: int = 0) -> None:
        """Put a request on the way."""
        self._last_request_s = time.monotonic()
        self._newest = asyncio.create_task(self._exchange(stream, request, self._newest))
        self._in_flight[self._newest] = samples
        self._newest.add_done_callback(self._exchanged)

    def _look_after_itself(self) -> None:
        """End what is done for a session that pauses, or is dropped."""
        if self._dropped is not None:
            self._dropped.detach()
        if self._keeper is not None:
            self._keeper.cancel()

    async def _exchange(
        self,
        stream: RequestStream,
        request: InferRequest,
        previous: asyncio.Task[None] | None,
    ) -> None:
        """Send one request and take its answer in, after that of the request before it."""
        outputs: Mapping[str, NDArray[Any]] = {}
        failure: AsrError | None = None
        try:
            outputs = await stream.exchange(request, self._timeout_s)
        except AsrError as error:
            failure = error
        if previous is not None:
            await asyncio.wait({previous})
        if self._lost is not None or stream is not self._stream:
            return
        try:
            if failure is not None:
                raise failure
            self._transcript.accept(request, outputs)
        except AsrError as error:
            self._fail(error)

    def _exchanged(self, task: asyncio.Task[None]) -> None:
        """Note that an answer came, or that none will."""
        self._in_flight.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._lost is None:
            self._lose(AsrError(f"{self._where}: {error!r}"))  # else the session would wait forever
        self._go_on()
        self._notify()

    def _fail(self, cause: AsrError) -> None:
        """Go on with another server, if that may help, or give the session up."""
        may_pass = is_outage(cause) and has_another(self._transport) and self._closing is None
        sample = None
        if self._held is not None and may_pass:
            sample = resume_at(self._transcript.timestamps_ms, self._held)
        if self._transcript.acknowledged_samples > self._furthest:
            self._furthest, self._resumed = self._transcript.acknowledged_samples, 0
        self._resumed += 1
        if sample is None or self._resumed > _MAX_RESUMED:
            self._lose(cause)
            return
        stream, self._stream, self._newest = self._stream, None, None
        self._give_up_requests()
        self._transcript.resume(sample)
        self._resuming = asyncio.create_task(self._resume(stream, sample))

    async def _resume(self, stream: RequestStream | None, sample: int) -> None:
        """Begin the sequence anew, with the audio from `sample` on."""
        if stream is not None:
            await stream.close()
        request = self._requests.start()
        try:
            outputs = await self._transport.infer(request, self._timeout_s)
            self._transcript.accept(request, outputs)
        except AsrError as error:
            self._lose(error)
            return
        self._begin_stream()
        self._end_sent = False
        if self._held is not None and not self._cut_short:
            self._outbox.clear()
            self._outbox.put(self._held.since(sample))
        self._go_on()

    def _give_up_requests(self) -> None:
        for task in self._in_flight:
            if task is not asyncio.current_task():
                task.cancel()

    def _lose(self, cause: AsrError) -> None:
        """Give the session up; the server is told, since it may still hold its place."""
        self._lost = cause
        self._look_after_itself()
        self._outbox.clear()
        self._give_up_requests()
        self._abandonment = asyncio.create_task(self._abandon())
        self._notify()

    async def _abandon(self) -> None:
        """Send END on its own, whatever comes of it: the place is free sooner then."""
        if self._stream is not None:
            await self._stream.close()
        if not isinstance(self._lost, ModelNotFound):
            with suppress(AsrError):
                await self._transport.infer(
                    self._requests.end(), min(self._timeout_s, CLOSE_TIMEOUT_S)
                )
