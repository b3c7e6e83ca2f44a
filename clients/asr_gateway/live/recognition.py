"""One utterance that is recognised while it is spoken (modes `online` and `2pass`).

    inbox ──> `vad` ──> a stretch of speech ──┬─> first pass ──> partial texts
                                              └─> when it has ended, second pass ──> its sentence

Silence goes to the VAD only. Text of a stretch comes before any of the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias, TypeVar

import numpy as np

from asr_client import AsyncClient, FileOptions, Sentence, StreamUpdate, tracing
from asr_client.audio import Waveform
from asr_client.diarisation import SegmentVoices, hear_voices
from asr_client.files import Segment, SegmentCutter, SegmentRecogniser, SpeechDetector
from asr_contract import SAMPLE_RATE

from .first_pass import FirstPass
from .inbox import AudioSource
from .pace import Pace
from .reports import Bound, Partial, Report, Spoken

T = TypeVar("T")

# Stretches that ended and wait to be reported. Who reads slowly makes the rest wait.
_MAX_WAITING_SPEECH = 2


_Heard: TypeAlias = tuple[Sentence | None, SegmentVoices | None]


class _Speech:
    """A stretch of speech, from the moment the VAD sees it begin.

    Attributes:
        fed_samples: how much of it the first pass was given.
        end_ms: where it ends in the utterance.
        ended_ms: how much of the utterance was heard when the VAD saw its end.
    """

    def __init__(self, index: int, start_ms: int, session: FirstPass | None) -> None:
        self.index = index
        self.start_ms = start_ms
        self.session = session
        self.fed_samples = 0
        self.end_ms = start_ms
        self.ended_ms = 0.0
        self._ended: asyncio.Future[asyncio.Task[_Heard] | None] = (
            asyncio.get_running_loop().create_future()
        )

    async def feed(self, waveform: Waveform) -> None:
        """Give audio to the first pass."""
        if self.session is not None and waveform.size:
            self.fed_samples += waveform.size
            await self.session.send(waveform)

    def end(self, second_pass: asyncio.Task[_Heard] | None, ended_ms: float) -> None:
        """Say that it has ended, and what recognises it once more."""
        self.ended_ms = ended_ms
        self._ended.set_result(second_pass)

    async def partials(self) -> AsyncGenerator[Partial, None]:
        """Yield its text while it grows."""
        if self.session is None:
            return
        first = True
        async for update in self.session.updates():
            if update.new_text:
                yield self._partial(update, first)
                first = False

    async def heard(self) -> _Heard:
        """Wait for the second pass; no sentence if there is none, or nothing was said."""
        second_pass = await self._ended
        return (None, None) if second_pass is None else await second_pass

    def _partial(self, update: StreamUpdate, first: bool) -> Partial:
        times = update.timestamps_ms
        return Partial(
            text=update.new_text,
            index=self.index,
            first=first,
            start_ms=self.start_ms,
            end_ms=self.start_ms + times[-1][1] if times else None,
            heard_ms=self.start_ms + 1000 * update.acknowledged_s,
        )


class LiveRecognition:
    """Finds the speech in an inbox's audio and recognises it while it is spoken, until that ends.

    Args:
        client: of the Triton server.
        options: of the second pass and the VAD.
        first_pass: makes a session that gives the partial texts of a stretch.
        second_passes: gives a turn to recognise a stretch once more; None for no second pass:
            then the partial texts are the result, and complete.
        report: is told what was heard; what waits for it makes the inbox full.

    Attributes:
        heard_samples: how much of the audio the VAD has heard.
        reported_ms: up to where all is reported.
    """

    def __init__(
        self,
        client: AsyncClient,
        inbox: AudioSource,
        options: FileOptions,
        *,
        first_pass: Callable[[], FirstPass],
        second_passes: asyncio.Semaphore | None,
        report: Report,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._options = options
        self._first_pass = first_pass
        self._recogniser = (
            SegmentRecogniser(client.transport, client.url, options, client.timeout_s)
            if second_passes is not None
            else None
        )
        self._second_passes = second_passes or asyncio.Semaphore()
        self._report = report
        self._speeches: asyncio.Queue[_Speech | None] = asyncio.Queue(_MAX_WAITING_SPEECH)
        self._current: _Speech | None = None
        self._count = 0
        self._unreported: deque[_Speech] = deque()
        self.reported_ms = 0
        self.heard_samples = 0
        self._pace = Pace(inbox)
        self._sessions: set[FirstPass] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._telling = asyncio.Lock()  # while something is told, and noted as such

    @property
    def next_report(self) -> tuple[int, int | None]:
        """Number and start, in ms, of the first stretch that is not all reported; None: none is."""
        if self._unreported:
            return self._unreported[0].index, self._unreported[0].start_ms
        return self._count, None

    async def run(self) -> None:
        """Recognise, and return when all is reported. Cancelling it leaves nothing behind.

        Raises:
            AsrError: of `asr_client.errors`.
        """
        listening = asyncio.create_task(self._listen())
        reporting = asyncio.create_task(self._report_all())
        tasks = (listening, reporting)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            if any(task.exception() for task in done):
                # Who goes on with the rest must know whether what is being told now was told.
                await self._telling.acquire()
            for task in done:
                task.result()
        finally:
            await self._stop([*tasks, *self._tasks])

    async def _stop(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """End everything that runs."""
        for task in tasks:
            task.cancel()
        leaving = [session.close() for session in self._sessions]
        await asyncio.gather(*tasks, *leaving, return_exceptions=True)

    async def _listen(self) -> None:
        """Follow the audio, and put each stretch of speech in the queue when it begins."""
        if self._recogniser is not None:
            await self._recogniser.open()
        options = self._options
        cutter = SegmentCutter(options.max_segment_ms, options.history_ms)
        detector = SpeechDetector(
            self._client.transport, options.vad_parameters, self._client.timeout_s
        )
        async with detector:
            while (piece := await self._inbox.take()) is not None:
                self._pace.begin()
                with tracing.span("audio", self._about(piece)):
                    rows = await detector.accept(piece)
                    self.heard_samples += piece.size
                    await self._follow(cutter, cutter.accept(piece, rows), piece)
            nothing = np.zeros(0, np.float32)
            await self._follow(cutter, cutter.accept(nothing, await detector.finish()), nothing)
            cutter.finish()
        await self._speeches.put(None)

    def _about(self, piece: Waveform) -> dict[str, float]:
        """Return where a piece lies in the utterance, for its span."""
        heard = self.heard_samples
        return {
            "asr.start_ms": 1000 * heard / SAMPLE_RATE,
            "asr.end_ms": 1000 * (heard + piece.size) / SAMPLE_RATE,
        }

    async def _follow(
        self, cutter: SegmentCutter, ended: Iterator[Segment], piece: Waveform
    ) -> None:
        """Do what the VAD's answer to a piece means."""
        for segment in ended:
            # Of what is over already, a speaker needs no partial texts but where they are all.
            speech = self._current or await self._begin(
                segment.start_ms, streamed=self._recogniser is None or self._is_file()
            )
            self._current = None
            await self._end(speech, segment)
        if cutter.open_ms is None:
            return
        if self._current is None:
            self._current = await self._begin(
                cutter.open_ms, streamed=not self._spares_partials(None)
            )
            piece = cutter.open_audio()
        elif (session := self._current.session) and self._spares_partials(session):
            self._current.session = None
            self._start(self._leave(session))
        await self._current.feed(piece)

    async def _begin(self, start_ms: int, *, streamed: bool) -> _Speech:
        """Open a stretch of speech, with a session of the first pass or not."""
        session = self._first_pass() if streamed else None
        speech = _Speech(self._count, start_ms, session)
        self._count += 1
        self._unreported.append(speech)  # before anything can fail: it is what there is to say
        if session is not None:
            self._sessions.add(session)
            await session.open()
        await self._report(Bound("began", speech.index, start_ms))
        await self._speeches.put(speech)
        return speech

    async def _end(self, speech: _Speech, segment: Segment) -> None:
        """Close a stretch of speech and have it recognised as a whole."""
        second_pass = None
        speech.end_ms = segment.end_ms
        await self._report(Bound("ended", speech.index, speech.end_ms))
        if self._recogniser is not None:
            second_pass = self._start(self._recognise(self._recogniser, segment))
        if speech.session is not None:
            if second_pass is None or self._is_file():  # its last words are missing
                await speech.feed(segment.waveform[speech.fed_samples :])
                await speech.session.flush()
                self._start(self._finish(speech.session))
            else:
                self._start(self._leave(speech.session))
        speech.end(second_pass, 1000 * self.heard_samples / SAMPLE_RATE)

    async def _recognise(self, recogniser: SegmentRecogniser, segment: Segment) -> _Heard:
        """Recognise a stretch of speech, and whose voice it is where that is asked for."""
        async with self._second_passes:
            if self._options.speakers is None:
                return await recogniser.recognise(segment), None
            return await asyncio.gather(
                recogniser.recognise(segment),
                hear_voices(self._client.transport, segment, self._client.timeout_s),
            )

    def _is_file(self) -> bool:
        """As `Pace.is_file`."""
        return self._pace.is_file(self.heard_samples / SAMPLE_RATE)

    def _spares_partials(self, session: FirstPass | None) -> bool:
        """As `Pace.spares_partials`; partial texts that are all there is are not spared."""
        heard_s = self.heard_samples / SAMPLE_RATE
        return self._recogniser is not None and self._pace.spares_partials(heard_s, session)

    async def _finish(self, session: FirstPass) -> None:
        """Wait for the last words of a session."""
        await session.finish()
        self._sessions.discard(session)

    async def _leave(self, session: FirstPass) -> None:
        """End a session whose last words the second pass will say."""
        await session.close()
        self._sessions.discard(session)

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something beside the rest."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        """Look at a failure: whoever waits for it may have been cancelled."""
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def _report_all(self) -> None:
        """Report each stretch of speech after the one before it."""
        while (speech := await self._speeches.get()) is not None:
            async with aclosing(speech.partials()) as partials:
                async for partial in partials:
                    async with self._telling:
                        await self._report(partial)
            sentence, voices = await speech.heard()
            async with self._telling:
                if sentence is not None:
                    await self._report(Spoken(sentence, speech.index, speech.ended_ms, voices))
                await self._report(Bound("reported", speech.index, speech.end_ms))
                self._unreported.popleft()
                self.reported_ms = speech.end_ms
