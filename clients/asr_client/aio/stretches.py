"""The asynchronous session of a model that takes whole recordings, made live by the VAD."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import numpy as np

from asr_contract import SAMPLE_RATE

from ..audio.waveform import Waveform
from ..errors import AsrError, ClientClosed
from ..files.options import FileOptions
from ..files.resuming import ResumingDetector
from ..files.segment_recogniser import SegmentRecogniser
from ..files.segments import Segment, SegmentCutter
from ..files.stretches import StretchTranscript
from ..results import Sentence, Transcript
from ..transport import Transport
from .growing import GrowingSpeech
from .live_session import LiveSession

_STEP_SAMPLES = SAMPLE_RATE // 5  # to the VAD, at least
_MAX_STEP_SAMPLES = 5 * SAMPLE_RATE
_MAX_ENDED = 2  # stretches that have ended and wait for their text


@dataclass
class _Stretch:
    """A stretch of speech that is spoken, and the task that shows its text."""

    index: int
    growing: GrowingSpeech
    showing: asyncio.Task[None]


class AsyncStretchSession(LiveSession):
    """Live recognition of one audio stream by a model of whole recordings, such as SenseVoice.

    `AsyncClient.stream` makes it. It has the names of `AsyncStreamSession`, and promises the same,
    but that one which is dropped without `close` lasts until its client is closed; a blocking
    client's `StreamSession` closes it when it is dropped.
    The VAD cuts the audio at pauses. While a stretch is spoken it is decoded again and again
    (`streaming.growing` says how often); `partial_text` is what is shown of it. When it has ended
    it is recognised as a file's would be, and that joins `final_text`, with its language.

    Args:
        make_growing: makes the session of a stretch while it is spoken.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        options: FileOptions,
        timeout_s: float,
        make_growing: Callable[[], GrowingSpeech],
    ) -> None:
        super().__init__(f"{url}: model {options.model!r}")
        self._transcript: StretchTranscript = StretchTranscript(options.model)
        self._transport = transport
        self._options = options
        self._timeout_s = timeout_s
        self._make_growing = make_growing
        self._recogniser = SegmentRecogniser(transport, url, options, timeout_s)
        self._count = 0
        self._current: _Stretch | None = None
        self._ended: asyncio.Queue[tuple[int, asyncio.Task[Sentence | None]] | None]
        self._work: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    @property
    def sequence_id(self) -> int:
        """0: it is no sequence on the server."""
        return 0

    @property
    def sentences(self) -> list[Sentence]:
        """The stretches that have ended, a sentence each, with language and times."""
        return list(self._transcript.sentences)

    async def open(self) -> None:
        """Look the models up, and begin; `async with` does it."""
        if self._work is not None or self._is_closed:
            raise ClientClosed(f"{self._where}: a session is opened once")
        self._ended = asyncio.Queue(_MAX_ENDED)
        await self._recogniser.open()
        self._work = asyncio.create_task(self._run())
        self._opened = True

    async def finish(self) -> Transcript:
        """End the stream and return the whole transcript; as `AsyncStreamSession.finish`."""
        async with self._sending:
            if not self._transcript.is_final:
                self._check_usable()
                for piece in self._reader.finish():
                    self._hold(piece)
                self._ending = True
                self._notify()
            while not self._transcript.is_final:
                await self._changed.wait()
                self._check_alive()
                if self._is_closed and not self._transcript.is_final:
                    raise ClientClosed(
                        f"{self._where}: the session was closed before it was finished"
                    )
        await self.close()
        return self._transcript.result(self._reader.warnings)

    async def close(self) -> None:
        """Leave the session; as `AsyncStreamSession.close`."""
        self._is_closed = True
        self._notify()
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _run(self) -> None:
        """Recognise until the audio has ended, or something fails."""
        listening = self._start(self._listen())
        settling = self._start(self._settle())
        try:
            done, _ = await asyncio.wait({listening, settling}, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            self._transcript.is_final = True
        except AsrError as error:
            self._lost = error
        except Exception as error:  # else the session would wait for ever
            self._lost = AsrError(f"{self._where}: {error!r}")
        finally:
            if self._current is not None:
                self._start(self._current.growing.close())
                self._current = None
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._notify()

    async def _listen(self) -> None:
        options = self._options
        cutter = SegmentCutter(options.max_segment_ms, options.history_ms)
        async with ResumingDetector(
            self._transport, options.vad_parameters, self._timeout_s, options.history_ms
        ) as detector:
            while (piece := await self._take()) is not None:
                rows = await detector.accept(piece)
                for segment in cutter.accept(piece, rows):
                    await self._end(segment)
                self._transcript.acknowledged_samples += piece.size
                if cutter.open_ms is not None:
                    await self._grow(piece if self._current else cutter.open_audio())
            nothing = np.zeros(0, np.float32)
            for segment in cutter.accept(nothing, await detector.accept(nothing, is_last=True)):
                await self._end(segment)
            cutter.finish()
        await self._ended.put(None)

    async def _take(self) -> Waveform | None:
        """Wait for audio worth a request; None after the last."""
        while self._outbox.samples < _STEP_SAMPLES and not self._ending:
            await self._changed.wait()
        piece = self._outbox.take(_MAX_STEP_SAMPLES) if self._outbox.samples else None
        self._notify()
        return piece

    async def _grow(self, audio: Waveform) -> None:
        """Give audio to the stretch that is spoken, which it may begin."""
        if self._current is None:
            growing = self._make_growing()
            await growing.open()
            showing = self._start(self._show(self._count, growing))
            self._current = _Stretch(self._count, growing, showing)
            self._count += 1
        await self._current.growing.send(audio)

    async def _show(self, index: int, growing: GrowingSpeech) -> None:
        """Show the text of a stretch while it is spoken."""
        async for update in growing.updates():
            self._transcript.show(index, update.text)
            self._notify()

    async def _end(self, segment: Segment) -> None:
        """Have a stretch that has ended recognised as a whole."""
        stretch, self._current = self._current, None
        if stretch is None:
            index, self._count = self._count, self._count + 1
        else:
            index = stretch.index
            await stretch.growing.close()
            stretch.showing.cancel()
        await self._ended.put((index, self._start(self._recogniser.recognise(segment))))

    async def _settle(self) -> None:
        """Take the texts of stretches in, in order."""
        while (ended := await self._ended.get()) is not None:
            index, recognition = ended
            self._transcript.settle(index, await recognition)
            self._notify()

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        """Look at a failure: whoever waits for it may have been cancelled."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, AsrError) and self._lost is None:
                self._lost = error
            self._notify()

    @property
    def _is_left(self) -> bool:
        return self._is_closed

    def _go_on(self) -> None:
        self._notify()
