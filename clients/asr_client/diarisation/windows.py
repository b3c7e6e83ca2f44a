"""Cuts speech into windows that are short enough to hold one voice each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asr_contract import SAMPLES_PER_MS

from ..audio.waveform import Waveform
from ..files.segments import Segment

WINDOW_MS, SHIFT_MS = 1_500, 500
EARLY_MS, LATE_MS = 200, 100  # that the VAD begins before speech, and ends behind it
SHORTEST_MS = 400  # a shorter segment has no window


@dataclass(frozen=True)
class Window:
    """A stretch of a segment.

    Attributes:
        start_ms, end_ms: of the part of the time that it speaks for, in ms of the recording: from
            the middle between it and the window before to the middle between it and the next, and
            at the ends of a segment those of speech.
        waveform: float32 [samples], 16 kHz.
    """

    start_ms: int
    end_ms: int
    waveform: Waveform


def windows_of(segment: Segment) -> Iterator[Window]:
    """Yield windows over a segment, the last one ending with it; none if it is too short."""
    length_ms = segment.end_ms - segment.start_ms
    if length_ms < SHORTEST_MS:
        return
    starts = [*range(0, max(length_ms - WINDOW_MS, 0), SHIFT_MS), max(length_ms - WINDOW_MS, 0)]
    middles = [start + min(WINDOW_MS, length_ms) // 2 for start in starts]
    for number, start in enumerate(starts):
        first, last = number == 0, number == len(starts) - 1
        begin_ms = EARLY_MS if first else (middles[number - 1] + middles[number]) // 2
        end_ms = length_ms - LATE_MS if last else (middles[number] + middles[number + 1]) // 2
        samples = slice(start * SAMPLES_PER_MS, (start + WINDOW_MS) * SAMPLES_PER_MS)
        yield Window(
            segment.start_ms + begin_ms, segment.start_ms + end_ms, segment.waveform[samples]
        )
