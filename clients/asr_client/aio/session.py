"""The asynchronous streaming session."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

from ..audio.waveform import Waveform
from ..errors import AsrError, ClientClosed, ModelNotFound, SessionLost
from ..protocol import InferRequest
from ..results import Sentence, StreamUpdate, Transcript
from ..streaming.audio import LiveAudio, LiveReader, Outbox, check_whole_samples
from ..streaming.protocol import (
    KEEP_ALIVE_S,
    MAX_REQUEST_SAMPLES,
    SequenceRequests,
    StreamTranscript,
    UpdateReader,
    opening_failure,
)
from ..transport import RequestStream, Transport
from .upkeep import CLOSE_TIMEOUT_S, end_when_dropped, keep_alive

# Audio that may wait behind the requests in flight before `send` waits.
MAX_WAITING_SAMPLES = 5 * SAMPLE_RATE

_MAX_SHOWN = 100  # characters of the text in a message


class AsyncStreamSession:
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
        self._transport = transport
        self._requests = requests
        self._where = f"{url}: model {requests.model!r}"
        self._timeout_s = timeout_s
        self._reader = LiveReader()
        self._outbox = Outbox()
        self._transcript = StreamTranscript(requests.model)
        self._sent_samples = 0
        self._stream: RequestStream | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._newest: asyncio.Task[None] | None = None  # of those in flight
        self._sending = asyncio.Lock()
        self._changed = asyncio.Event()
        self._opened = False
        self._ending = False  # no more audio is taken
        self._cut_short = False  # it was closed before all audio was on the way
        self._end_sent = False
        self._closing: asyncio.Task[None] | None = None
        self._lost: AsrError | None = None
        self._abandonment: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._dropped: weakref.finalize[..., object] | None = None  # what happens when it is
        self._last_request_s = 0.0

    async def __aenter__(self) -> AsyncStreamSession:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def sequence_id(self) -> int:
        """Its number on the server, as the server's log and messages have it."""
        return self._requests.sequence_id

    @property
    def text(self) -> str:
        """The whole text so far, with what may still change."""
        return self._transcript.text

    @property
    def final_text(self) -> str:
        """The part of the text that will not change any more; `text` begins with it."""
        return self._transcript.final_text

    @property
    def partial_text(self) -> str:
        """The end of the text, which may still change."""
        return self._transcript.partial_text

    @property
    def sentences(self) -> list[Sentence]:
        """None: a streaming model has no sentences. `AsyncStretchSession` has."""
        return []

    @property
    def tokens(self) -> list[str]:
        """The words or characters of `final_text`."""
        return list(self._transcript.tokens)

    @property
    def timestamps_ms(self) -> list[tuple[int, int]] | None:
        """(start, end) of each of `tokens` in ms; None when the model gives no times."""
        times = self._transcript.timestamps_ms
        return None if times is None else list(times)

    @property
    def sent_s(self) -> float:
        """Seconds of audio that were sent or wait to be sent."""
        return self._sent_samples / SAMPLE_RATE

    @property
    def acknowledged_s(self) -> float:
        """Seconds of audio that the server has answered for."""
        return self._transcript.acknowledged_samples / SAMPLE_RATE

    async def open(self) -> None:
        """Start the sequence; `async with` does it. As `StreamSession.open`."""
        if self._opened or self._closing is not None:
            raise ClientClosed(f"{self._where}: a session is opened once")
        self._opened = True
        request = self._requests.start()
        try:
            outputs = await self._transport.infer(request, self._timeout_s)
            self._transcript.accept(request, outputs)
            self._stream = self._transport.open_stream()
            self._dropped = end_when_dropped(self, self._transport, self._stream, self._requests)
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
        self._pump()  # END, if it was closed meanwhile

    async def send(self, audio: LiveAudio, *, sample_rate: int = SAMPLE_RATE) -> None:
        """Send audio; as `StreamSession.send`."""
        check_whole_samples(audio)
        async with self._sending:
            self._check_usable()
            for piece in self._reader.read(audio, sample_rate):
                while self._outbox.samples and (
                    self._outbox.samples + piece.size > MAX_WAITING_SAMPLES
                ):
                    await self._changed.wait()
                    self._check_usable()
                self._hold(piece)
                self._pump()
        await asyncio.sleep(0)  # whoever only sends must not keep the answers from being read

    async def finish(self) -> Transcript:
        """End the stream and return the whole transcript; as `StreamSession.finish`."""
        async with self._sending:
            if not self._transcript.is_final:
                self._check_usable()
                for piece in self._reader.finish():  # often nothing, and at times several
                    self._hold(piece)
                self._ending = True
                self._pump()
            while not self._transcript.is_final:
                await self._changed.wait()
                self._check_alive()
            if self._cut_short:
                raise ClientClosed(f"{self._where}: the session was closed before it was finished")
        await self.close()
        transcript = self._transcript.result()
        return replace(transcript, warnings=[*self._reader.warnings, *transcript.warnings])

    async def updates(self) -> AsyncIterator[StreamUpdate]:
        """Yield each change of the text; as `StreamSession.updates`."""
        reader = UpdateReader(self._transcript)
        while True:
            update = reader.read()
            if update is not None:
                yield update
                if update.is_final:
                    return
                continue
            self._check_alive()
            if self._closing is not None:
                return
            await self._changed.wait()

    async def close(self) -> None:
        """Leave the session; as `StreamSession.close`."""
        if self._closing is None:
            self._cut_short = not self._ending or self._outbox.samples > 0
            self._ending = True
            self._outbox.clear()
            self._pump()
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

    def _hold(self, piece: Waveform) -> None:
        """Take audio in."""
        self._sent_samples += piece.size
        self._outbox.put(piece)

    def _pump(self) -> None:
        """Put waiting audio, or END, on the way as long as there may be more in flight."""
        stream = self._stream
        while (
            stream is not None
            and self._lost is None
            and not self._end_sent
            and len(self._in_flight) < stream.max_in_flight
            and (self._outbox.samples or self._ending)
        ):
            piece = self._outbox.take(MAX_REQUEST_SAMPLES)
            self._end_sent = self._ending and not self._outbox.samples
            self._send(stream, self._requests.audio(piece, end=self._end_sent))

    def keep_alive(self) -> bool:
        """Tell the server that the session is only pausing, if it is; see `upkeep.Pausing`."""
        if self._stream is None or self._lost is not None or self._ending:
            return False
        if not self._in_flight and time.monotonic() - self._last_request_s > KEEP_ALIVE_S / 2:
            self._send(self._stream, self._requests.nothing())
        return True

    def _send(self, stream: RequestStream, request: InferRequest) -> None:
        """Put a request on the way."""
        self._last_request_s = time.monotonic()
        self._newest = asyncio.create_task(self._exchange(stream, request, self._newest))
        self._in_flight.add(self._newest)
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
        if self._lost is not None:
            return
        try:
            if failure is not None:
                raise failure
            self._transcript.accept(request, outputs)
        except AsrError as error:
            self._lose(error)

    def _exchanged(self, task: asyncio.Task[None]) -> None:
        """Note that an answer came, or that none will."""
        self._in_flight.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._lost is None:
            self._lose(AsrError(f"{self._where}: {error!r}"))  # else the session would wait forever
        self._pump()
        self._notify()

    def _lose(self, cause: AsrError) -> None:
        """Give the session up; the server is told, since it may still hold its place."""
        self._lost = cause
        self._look_after_itself()
        self._outbox.clear()
        for task in self._in_flight:
            if task is not asyncio.current_task():
                task.cancel()
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

    def _notify(self) -> None:
        """Wake all who wait for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _check_alive(self) -> None:
        """Raise SessionLost if the session is."""
        cause = self._lost
        if cause is None:
            return
        text = self.text if len(self.text) <= _MAX_SHOWN else "…" + self.text[-_MAX_SHOWN:]
        raise SessionLost(
            f"the session is lost: {cause} ({self.acknowledged_s:.2f} s of {self.sent_s:.2f} s "
            f"of audio were acknowledged; text so far: {text!r})",
            acknowledged_s=self.acknowledged_s,
            sent_s=self.sent_s,
            text=self.text,
            server_message=cause.server_message,
        ) from cause

    def _check_usable(self) -> None:
        """Raise SessionLost, or ClientClosed if the session takes no more audio."""
        self._check_alive()
        if not self._opened:
            raise ClientClosed(f"{self._where}: the session is not open; use `with`, or open()")
        if self._ending:
            raise ClientClosed(f"{self._where}: the session is finished or closed")
