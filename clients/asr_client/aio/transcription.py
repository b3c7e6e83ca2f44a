"""The transcription of one file, asynchronous: decoder, VAD, recogniser and sentences at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import numpy as np

from ..audio.media import MediaDecoder, MediaSource
from ..audio.waveform import Pcm, Waveform
from ..diarisation import Diariser, label_sentences
from ..errors import AsrError, ClientClosed, located
from ..files.options import FileOptions
from ..files.pieces import pieces_of
from ..files.resuming import ResumingDetector
from ..files.segments import Segment, SegmentCutter
from ..files.sentences import SentenceMaker, recognised_segment, whole_transcript
from ..files.served_models import ServedModels
from ..files.speakers import SentenceOrder, Speaker
from ..results import FileSummary, FileTimings, FileTranscript, Sentence, SpeakerTurn, Transcript
from ..transport import Transport


@dataclass(frozen=True)
class _Recognition:
    """A segment on its way through the recogniser."""

    speaker: Speaker
    start_ms: int
    end_ms: int
    task: asyncio.Task[Transcript]


@dataclass(frozen=True)
class _Passed:
    """Nothing to recognise: a piece of the file was heard, or its end."""

    is_end: bool


class AsyncFileTranscription:
    """The sentences of one file as they are recognised; `FileTranscription` says what it promises.

    `AsyncClient.stream_file` makes it. It belongs to the event loop that runs. Cancelling a task
    that waits for a sentence ends the transcription.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        source: MediaSource | Pcm,
        options: FileOptions,
        timeout_s: float,
        *,
        file_name: str | None = None,
        owner: str = "",
    ) -> None:
        self._media = MediaDecoder(
            source, channels=options.channels, file_name=file_name, owner=owner
        )
        self._name = self._media.name
        self._transport = transport
        self._options = options
        self._timeout_s = timeout_s
        self._models = ServedModels(transport, url, options, timeout_s)
        self._speakers: list[Speaker] = []
        self._order = SentenceOrder()
        self._diariser = Diariser.wanted(transport, url, options, timeout_s)
        self._unlabelled: list[Sentence] = []  # whose they are is known at the end
        self._recognitions: asyncio.Queue[_Recognition | _Passed] = asyncio.Queue()
        self._slots = asyncio.Semaphore(options.in_flight)
        self._tasks: set[asyncio.Task[Transcript]] = set()
        self._producer: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._ready: deque[Sentence] = deque()
        self._failure: AsrError | None = None
        self._summary: FileSummary | None = None
        self._languages: Counter[str] = Counter()  # ms of speech
        self._recognised_ms = 0
        self._segments = 0
        self._speech_ms = 0
        self._started_s = time.monotonic()
        self._first_sentence_s: float | None = None
        self._vad_s = 0.0

    async def __aenter__(self) -> AsyncFileTranscription:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Sentence]:
        return self

    @property
    def duration_s(self) -> float | None:
        """What the file says its duration is, in seconds; for a progress bar only."""
        return self._media.duration_s

    @property
    def recognised_s(self) -> float:
        """How far recognition has come in the file, in seconds."""
        return self._recognised_ms / 1000

    @property
    def summary(self) -> FileSummary:
        """What is known when all sentences were read.

        Raises:
            ClientClosed: they were not.
        """
        if self._summary is None:
            raise ClientClosed(f"{self._name}: not all of the file was transcribed")
        return self._summary

    async def open(self) -> None:
        """Start; `async with` does it. As `FileTranscription.open`."""
        if self._producer is not None or self._closing is not None:
            raise ClientClosed(f"{self._name}: a transcription is opened once")
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._started_s = time.monotonic()
        self._producer = asyncio.create_task(self._produce(opened))
        try:
            await asyncio.wait({opened, self._producer}, return_when=asyncio.FIRST_COMPLETED)
            if not opened.done():
                await self._check_producer()
        except BaseException:
            await self.close()
            raise

    async def __anext__(self) -> Sentence:
        try:
            while not self._ready:
                if self._failure is not None:
                    raise self._failure
                if self._summary is not None:
                    break
                await self._advance()
        except BaseException as error:
            if self._failure is None:  # what was under way is lost, so nothing may follow
                self._failure = ClientClosed(f"{self._name}: the transcription was cancelled")
                if isinstance(error, AsrError):
                    self._failure = error
            await self.close()
            raise
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    async def result(self) -> FileTranscript:
        """Return the whole, with the sentences that were not read yet."""
        sentences = [sentence async for sentence in self]
        return whole_transcript(sentences, self.summary)

    async def close(self) -> None:
        """Leave the transcription; as `FileTranscription.close`."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._stop())
        await asyncio.wait({self._closing})

    async def _stop(self) -> None:
        """End all that runs, and wait until it has."""
        if self._failure is None and self._summary is None:
            self._failure = ClientClosed(f"{self._name}: the transcription was closed")
        running = [*self._tasks, *([self._producer] if self._producer else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _produce(self, opened: asyncio.Future[None]) -> None:
        """Decode, find speech, and put each segment on its way as soon as it has ended."""
        try:
            await self._models.check()
            if self._diariser is not None:
                await self._diariser.begin()
            async with self._media as media, AsyncExitStack() as stack:
                pieces = await stack.enter_async_context(aclosing(pieces_of(media)))
                async for piece, is_last in pieces:
                    if not self._speakers:
                        await self._meet(piece, stack)
                    segments = await self._detect(piece, is_last)
                    if not opened.done():
                        opened.set_result(None)
                    for speaker, segment in segments:
                        await self._submit(speaker, segment)
                    if len(self._speakers) > 1:
                        self._recognitions.put_nowait(_Passed(is_end=False))
        finally:
            self._recognitions.put_nowait(_Passed(is_end=True))

    async def _meet(self, piece: Waveform, stack: AsyncExitStack) -> None:
        """Make ready for the speakers of the first audio, [samples] or [samples, channels]."""
        options, models = self._options, self._models
        apart = options.channels == "each"
        for channel in range(1, (piece.shape[1] if piece.ndim == 2 else 1) + 1):
            detector = ResumingDetector(
                self._transport, options.vad_parameters, self._timeout_s, options.history_ms
            )
            await stack.enter_async_context(detector)
            cutter = SegmentCutter(options.max_segment_ms, options.history_ms)
            maker = SentenceMaker(models.punctuate, models.itn_language, options.timestamps)
            self._speakers.append(Speaker(channel if apart else None, detector, cutter, maker))

    async def _detect(self, piece: Waveform, is_last: bool) -> list[tuple[Speaker, Segment]]:
        """Give the next audio to the VAD, and return the segments that ended."""
        sent_s, start_s = self._media.decoded_s, time.monotonic()
        columns = piece.T if piece.ndim == 2 else piece[np.newaxis]
        with located(f"{self._name}: detection of speech, {sent_s:.1f} s into the file"):
            heard = await asyncio.gather(
                *(
                    speaker.hear(np.ascontiguousarray(column), is_last=is_last)
                    for speaker, column in zip(self._speakers, columns, strict=True)
                )
            )
        self._vad_s += time.monotonic() - start_s
        segments = [
            (speaker, segment)
            for speaker, own in zip(self._speakers, heard, strict=True)
            for segment in own
        ]
        return sorted(segments, key=lambda each: each[1].start_ms)

    async def _submit(self, speaker: Speaker, segment: Segment) -> None:
        """Send a segment to the recogniser when there is room; who reads sentences makes room."""
        await self._slots.acquire()
        task = asyncio.create_task(self._hear(segment))
        self._tasks.add(task)
        task.add_done_callback(self._recognised)
        self._recognitions.put_nowait(_Recognition(speaker, segment.start_ms, segment.end_ms, task))

    async def _hear(self, segment: Segment) -> Transcript:
        """Recognise a segment, and take in its voices where speakers are told apart."""
        if self._diariser is None:
            return await self._models.recognise(segment)
        transcript, _ = await asyncio.gather(
            self._models.recognise(segment), self._diariser.hear(segment)
        )
        return transcript

    def _recognised(self, task: asyncio.Task[Transcript]) -> None:
        """Look at a failure, so that one nobody waits for any more is not logged as forgotten."""
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def _advance(self) -> None:
        """Take in the next segment's transcript, or the end."""
        if self._producer is None:
            raise ClientClosed(
                f"{self._name}: the transcription is not open; use `with`, or open()"
            )
        recognition = await self._recognitions.get()
        if isinstance(recognition, _Passed):
            if not recognition.is_end:
                for speaker in self._speakers:
                    self._take(await speaker.pause())
                return
            await self._check_producer()
            for speaker in self._speakers:
                self._order.add(await speaker.finish())
            self._speakers = []
            self._take([])
            turns = await self._label()
            self._summary = self._summarise(turns)
            return
        start_ms, end_ms = recognition.start_ms, recognition.end_ms
        await asyncio.wait({recognition.task})
        if recognition.task.cancelled():
            raise ClientClosed(f"{self._name}: the transcription was closed")
        with located(f"{self._name}: segment {start_ms / 1000:.2f}-{end_ms / 1000:.2f} s"):
            transcript = recognition.task.result()
            self._slots.release()
            speech_end_ms = end_ms - self._options.silence_behind_ms
            spoken = recognised_segment(transcript, start_ms, end_ms, speech_end_ms)
            self._take(await recognition.speaker.accept(spoken))
        self._segments += 1
        self._speech_ms += end_ms - start_ms
        self._recognised_ms = max(self._recognised_ms, end_ms)
        if spoken is not None and spoken.language is not None:
            self._languages[spoken.language] += end_ms - start_ms

    def _take(self, sentences: list[Sentence]) -> None:
        """Have sentences ready to be read, when nobody can say anything before them any more."""
        self._order.add(sentences)
        before = len(self._ready)
        ready = self._order.ready(self._speakers if len(self._speakers) > 1 else ())
        if self._diariser is not None:
            self._unlabelled += ready
            return
        self._ready += ready
        if len(self._ready) > before and self._first_sentence_s is None:
            self._first_sentence_s = time.monotonic() - self._started_s

    async def _label(self) -> list[SpeakerTurn]:
        """Find the speakers, now that all was heard, and have the sentences ready as theirs."""
        if self._diariser is None:
            return []
        turns = await self._diariser.turns()
        self._ready += await asyncio.to_thread(label_sentences, self._unlabelled, turns)
        self._unlabelled = []
        return turns

    async def _check_producer(self) -> None:
        """Wait for the end of the producer, and raise what it ended with."""
        producer = self._producer
        if producer is None:
            return
        await asyncio.wait({producer})
        if producer.cancelled():
            raise self._failure or ClientClosed(f"{self._name}: the transcription was closed")
        producer.result()

    def _summarise(self, turns: list[SpeakerTurn]) -> FileSummary:
        duration_s = self._media.decoded_s
        self._recognised_ms = round(duration_s * 1000)
        return FileSummary(
            duration_s=duration_s,
            speech_s=self._speech_ms / 1000,
            segments=self._segments,
            language=max(self._languages, key=self._languages.__getitem__, default=None),
            warnings=[*self._media.warnings, *self._models.warnings],
            timings=FileTimings(
                total_s=time.monotonic() - self._started_s,
                first_sentence_s=self._first_sentence_s,
                detection_s=self._vad_s,
                recognition_s=self._models.recognition_s,
                punctuation_s=self._models.punctuation_s,
            ),
            turns=turns,
        )
