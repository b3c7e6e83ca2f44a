"""Channels that are recognised apart: a VAD, a cutter and a maker of sentences for each.

What all of them say comes in order of time. A sentence waits until no channel can say anything
that began before it: speech that is open, on its way through the recogniser, or without its end.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..audio.waveform import Waveform
from ..results import Sentence
from .resuming import ResumingDetector
from .segments import Segment, SegmentCutter
from .sentences import LONGEST_PAUSE_MS, RecognisedSegment, SentenceMaker
from .speech_detection import Rows


class Speaker:
    """One channel, or the mix of all.

    Args:
        channel: its number from 1; None for the mix.
        detector: its VAD.
        cutter: of its audio.
        maker: of its sentences.
    """

    def __init__(
        self,
        channel: int | None,
        detector: ResumingDetector,
        cutter: SegmentCutter,
        maker: SentenceMaker,
    ) -> None:
        self.channel = channel
        self._detector = detector
        self._cutter = cutter
        self._maker = maker
        self._under_way: deque[int] = deque()  # starts of segments that are recognised, in ms

    async def hear(self, waveform: Waveform, *, is_last: bool) -> list[Segment]:
        """Take the next audio, [samples]; return the segments that ended."""
        rows: Rows = await self._detector.accept(waveform, is_last=is_last)
        segments = [*self._cutter.accept(waveform, rows)]
        if is_last:
            self._cutter.finish()
        self._under_way += [segment.start_ms for segment in segments]
        return segments

    async def accept(self, spoken: RecognisedSegment | None) -> list[Sentence]:
        """Take what was recognised of the next segment; return the sentences that ended."""
        self._under_way.popleft()
        return [] if spoken is None else self._own(await self._maker.accept(spoken))

    async def pause(self) -> list[Sentence]:
        """Return the sentence that was open, if so long a pause has ended it."""
        open_end_ms = self._maker.open_end_ms
        if open_end_ms is None or self._under_way:
            return []
        if self._cutter.earliest_ms - open_end_ms <= LONGEST_PAUSE_MS:
            return []
        return await self.finish()

    async def finish(self) -> list[Sentence]:
        """Return what was still open."""
        return self._own(await self._maker.finish())

    @property
    def earliest_ms(self) -> int:
        """No sentence that is to come begins before this."""
        earliest_ms = self._under_way[0] if self._under_way else self._cutter.earliest_ms
        open_start_ms = self._maker.open_start_ms
        return earliest_ms if open_start_ms is None else min(open_start_ms, earliest_ms)

    def _own(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """Say of sentences whose they are."""
        if self.channel is None:
            return [*sentences]
        return [replace(sentence, channel=self.channel) for sentence in sentences]


class SentenceOrder:
    """Puts the sentences of several speakers in order of time."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, int, Sentence]] = []
        self._count = 0

    def add(self, sentences: Sequence[Sentence]) -> None:
        """Take sentences of one speaker, in their order."""
        for sentence in sentences:
            self._count += 1
            entry = (sentence.start_ms, sentence.channel or 0, self._count, sentence)
            heapq.heappush(self._waiting, entry)

    def ready(self, speakers: Sequence[Speaker]) -> Iterator[Sentence]:
        """Yield those before which nothing can come any more; all if nobody speaks any more."""
        while self._waiting:
            start_ms = self._waiting[0][0]
            if any(speaker.earliest_ms < start_ms for speaker in speakers):
                return
            yield heapq.heappop(self._waiting)[-1]
