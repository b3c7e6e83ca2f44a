"""Cuts a stream of audio where the VAD says, and keeps no more of it than may still be needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asr_contract import SAMPLE_RATE, SAMPLES_PER_MS

from ..audio.waveform import Waveform
from ..errors import ProtocolError
from .speech_detection import UNKNOWN

# A segment may begin this long before the VAD noticed it (its window and look-back; it says so).
_SHORTEST_HISTORY_MS = 5_000
# The VAD closes a segment with the frame that makes it too long.
_TOLERANCE_MS = 1_000


@dataclass(frozen=True)
class Segment:
    """A stretch of speech: when, in ms of the file, and its samples at 16 kHz."""

    start_ms: int
    end_ms: int
    waveform: Waveform


class SegmentCutter:
    """Turns audio and the VAD's answers into segments.

    Args:
        max_segment_ms: what the VAD was told; more than that is never collected.
        history_ms: how far back of the audio a segment may begin.
    """

    def __init__(self, max_segment_ms: int, history_ms: int = 0) -> None:
        self._max_segment_ms = max_segment_ms + _TOLERANCE_MS
        self._history_ms = max(history_ms, _SHORTEST_HISTORY_MS)
        self._audio = np.zeros(0, np.float32)  # from _first_ms on
        self._first_ms = 0
        self._heard = 0  # samples
        self._open_ms: int | None = None  # start of the open segment
        self._last_end_ms = 0

    @property
    def kept_samples(self) -> int:
        """How much audio is held."""
        return self._audio.size

    @property
    def open_ms(self) -> int | None:
        """Where the segment that has not ended begins; None if there is none."""
        return self._open_ms

    @property
    def earliest_ms(self) -> int:
        """No segment that is to come, or is open, begins before this."""
        if self._open_ms is not None:
            return self._open_ms
        return max(self._last_end_ms, self._first_ms)

    def open_audio(self) -> Waveform:
        """Return the audio of the segment that has not ended, [samples] float32, so far."""
        if self._open_ms is None:
            return np.zeros(0, np.float32)
        return self._audio[(self._open_ms - self._first_ms) * SAMPLES_PER_MS :]

    def accept(self, waveform: Waveform, rows: Sequence[tuple[int, int]]) -> Iterator[Segment]:
        """Take the next audio and the VAD's answer to it; yield the segments that ended.

        Args:
            waveform: [samples] float32.
            rows: (start, end) in ms, -1 for what another answer says.

        Raises:
            ProtocolError: the answer cannot be.
        """
        self._audio = np.concatenate([self._audio, waveform])
        self._heard += waveform.size
        for start_ms, end_ms in rows:
            if start_ms != UNKNOWN:
                self._open(start_ms)
            if end_ms != UNKNOWN:
                yield self._close(end_ms)
        heard_ms = self._heard // SAMPLES_PER_MS
        if self._open_ms is not None and heard_ms - self._open_ms > self._max_segment_ms:
            raise self._error(f"no end of the segment at {self._open_ms} ms")
        self._forget(heard_ms - self._history_ms if self._open_ms is None else self._open_ms)

    def finish(self) -> None:
        """Raise ProtocolError if a segment has no end."""
        if self._open_ms is not None:
            raise self._error(f"no end of the segment at {self._open_ms} ms")

    def _open(self, start_ms: int) -> None:
        if self._open_ms is not None or start_ms < max(self._last_end_ms, self._first_ms):
            raise self._error(f"a segment at {start_ms} ms")
        self._open_ms = start_ms

    def _close(self, end_ms: int) -> Segment:
        start_ms = self._open_ms
        last_ms = -(-self._heard // SAMPLES_PER_MS)
        if start_ms is None or not start_ms < end_ms <= last_ms:
            raise self._error(f"an end at {end_ms} ms")
        if end_ms - start_ms > self._max_segment_ms:
            raise self._error(f"a segment from {start_ms} to {end_ms} ms")
        first = (start_ms - self._first_ms) * SAMPLES_PER_MS
        last = (end_ms - self._first_ms) * SAMPLES_PER_MS
        self._open_ms, self._last_end_ms = None, end_ms
        return Segment(start_ms, end_ms, self._audio[first:last].copy())

    def _forget(self, before_ms: int) -> None:
        """Drop the audio before a time."""
        if before_ms > self._first_ms:
            self._audio = self._audio[(before_ms - self._first_ms) * SAMPLES_PER_MS :].copy()
            self._first_ms = before_ms

    def _error(self, got: str) -> ProtocolError:
        return ProtocolError(
            f"model 'vad': expected segments in order, at most {self._max_segment_ms} ms long, "
            f"begun after {max(self._last_end_ms, self._first_ms)} ms; got {got} "
            f"({self._heard / SAMPLE_RATE:.1f} s were sent)"
        )
