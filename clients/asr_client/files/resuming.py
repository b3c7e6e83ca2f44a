"""Where speech is in a file, by one sequence of `vad` after another where servers are lost.

The audio from a moment before the segment that is open is kept. When the server of the sequence is
lost and another is there, that one hears it again: from where nothing was spoken, so that it hears
the same. What was told of it is not told twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from asr_contract import SAMPLE_RATE, SAMPLES_PER_MS

from ..audio.waveform import Waveform
from ..cluster import has_another
from ..errors import AsrError
from ..transport import Transport, is_outage
from .speech_detection import UNKNOWN, Rows, SpeechDetector

# How much before a segment, or the end, is heard again: what the VAD's network and its window look
# back on, several times.
_SHORTEST_HISTORY_MS = 5_000
_PIECE = 30 * SAMPLE_RATE  # of what is heard again
_FRAME_MS = 10  # a file's frames stay where they were
_SHORTEST_MS = 100  # a rest of a segment that was told, because it ends a little later now

# A server is lost now and then; a piece that so many were lost with may be the reason.
_ATTEMPTS = 3


class ResumingDetector:
    """A `SpeechDetector` that goes on when its server is lost, to be used `async with`.

    Args:
        transport: with one server only, what fails there fails here.
        parameters: as `SpeechDetector`.
        timeout_s: the same.
        history_ms: how long before the VAD notices speech it may begin.
    """

    def __init__(
        self,
        transport: Transport,
        parameters: Mapping[str, str],
        timeout_s: float,
        history_ms: int,
    ) -> None:
        self._transport = transport
        self._parameters = parameters
        self._timeout_s = timeout_s
        self._history_ms = max(history_ms, _SHORTEST_HISTORY_MS)
        self._detector = self._begin()
        self._offset_ms = 0  # where this one's audio begins in the file
        self._kept = np.zeros(0, np.float32)
        self._kept_ms = 0  # where that begins
        self._told = ToldSegments()
        self._resumed = False

    async def __aenter__(self) -> ResumingDetector:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._detector.__aexit__(*error)

    async def accept(self, waveform: Waveform, *, is_last: bool = False) -> Rows:
        """Send audio and return the segments that it brought; as `SpeechDetector.accept`."""
        kept = np.concatenate([self._kept, waveform])
        attempt = 1
        while True:
            try:
                if attempt == 1:
                    rows = await self._detector.accept(waveform, is_last=is_last)
                else:
                    rows = await self._again(kept, is_last=is_last)
                break
            except AsrError as error:
                may_pass = is_outage(error) and has_another(self._transport)
                if attempt == _ATTEMPTS or not may_pass:
                    raise
            attempt += 1
        self._kept = kept
        heard_ms = self._kept_ms + kept.size // SAMPLES_PER_MS
        if self._resumed:
            rows = self._told.new(rows, self._offset_ms, heard_ms, is_last=is_last)
        self._told.note(rows)
        self._forget(heard_ms)
        return rows

    def _begin(self) -> SpeechDetector:
        return SpeechDetector(self._transport, self._parameters, self._timeout_s)

    async def _again(self, kept: Waveform, *, is_last: bool) -> Rows:
        """Hear all that is kept, [samples], on another server."""
        await self._detector.__aexit__(None, None, None)
        self._detector, self._offset_ms, self._resumed = self._begin(), self._kept_ms, True
        rows: Rows = []
        starts = range(0, max(kept.size, 1), _PIECE)
        for start in starts:
            last = is_last and start == starts[-1]
            rows += await self._detector.accept(kept[start : start + _PIECE], is_last=last)
        return rows

    def _forget(self, heard_ms: int) -> None:
        """Keep no more than has to be heard again."""
        open_ms = self._told.open_ms
        first_ms = (heard_ms if open_ms is None else open_ms) - self._history_ms
        first_ms -= first_ms % _FRAME_MS
        if first_ms > self._kept_ms:
            self._kept = self._kept[(first_ms - self._kept_ms) * SAMPLES_PER_MS :].copy()
            self._kept_ms = first_ms


class ToldSegments:
    """Which segments of a file were told, so that a VAD that hears a part anew adds to them only.

    Attributes:
        open_ms: where the segment without an end begins; None if there is none.
    """

    def __init__(self) -> None:
        self.open_ms: int | None = None
        self._end_ms = 0  # of the last segment that was told
        self._held_ms: int | None = None  # one began within what was told: it may be the same

    def note(self, rows: Rows) -> None:
        """Take in what was told, in ms of the file."""
        for start_ms, end_ms in rows:
            if start_ms != UNKNOWN:
                self.open_ms = start_ms
            if end_ms != UNKNOWN:
                self.open_ms, self._end_ms = None, end_ms

    def new(self, rows: Rows, offset_ms: int, heard_ms: int, *, is_last: bool) -> Rows:
        """Return what of a VAD's rows is new, in ms of the file.

        Args:
            rows: (start, end) in ms of the VAD's own audio, -1 for what another row says.
            offset_ms: where that begins in the file.
            heard_ms: where it ends.
            is_last: nothing follows, so that all has to have an end.
        """
        new: Rows = []
        open_ms, told_ms = self.open_ms, self._end_ms
        for start, end in rows:
            if start != UNKNOWN and open_ms is None:
                start_ms = start + offset_ms
                if start_ms < told_ms:
                    self._held_ms = told_ms
                else:
                    open_ms = start_ms
                    new.append((start_ms, UNKNOWN))
            if end != UNKNOWN:
                end_ms = end + offset_ms
                if open_ms is not None and end_ms > open_ms:
                    new.append((UNKNOWN, end_ms))
                    open_ms, told_ms = None, end_ms
                elif self._held_ms is not None and end_ms - self._held_ms >= _SHORTEST_MS:
                    new.append((self._held_ms, end_ms))
                    told_ms = end_ms
                self._held_ms = None
        if is_last and open_ms is not None:
            new.append((UNKNOWN, heard_ms))
        return new
