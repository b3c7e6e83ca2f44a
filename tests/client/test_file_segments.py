"""Segments of a file: the audio that the VAD names, cut out of a stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_client import ProtocolError
from asr_client.files.segments import SegmentCutter

RATE = 16_000


@given(st.lists(st.integers(1, 40_000), max_size=20), st.randoms(use_true_random=False))
def test_segments_are_the_audio_they_name_however_it_arrives(sizes, random):
    total_ms = sum(sizes) // 16
    cuts = sorted(random.sample(range(0, total_ms, 10), min(8, total_ms // 10) // 2 * 2))
    wanted = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=True) if a < b]
    audio = np.arange(sum(sizes), dtype=np.float32)
    cutter = SegmentCutter(max_segment_ms=60_000)
    rows = [row for a, b in wanted for row in ((a, -1), (-1, b))]
    due = [time for segment in wanted for time in segment]
    found, sent, told = [], 0, 0
    for size in sizes:
        piece = audio[sent : sent + size]
        sent += size
        ready = sum(time <= sent // 16 for time in due)  # told as soon as the audio is there
        found += cutter.accept(piece, rows[told:ready])
        told = ready
    cutter.finish()
    assert [(segment.start_ms, segment.end_ms) for segment in found] == wanted
    for segment in found:
        expected = audio[segment.start_ms * 16 : segment.end_ms * 16]
        np.testing.assert_array_equal(segment.waveform, expected)


def test_only_the_audio_that_may_be_needed_is_kept():
    cutter = SegmentCutter(max_segment_ms=10_000)
    for _ in range(100):
        list(cutter.accept(np.zeros(RATE, np.float32), []))
        assert cutter.kept_samples <= 5 * RATE
    list(cutter.accept(np.zeros(RATE, np.float32), [(99_000, -1)]))
    for _ in range(8):
        list(cutter.accept(np.zeros(RATE, np.float32), []))
    assert cutter.kept_samples <= 10 * RATE
    with pytest.raises(ProtocolError, match="no end of the segment at 99000 ms"):
        for _ in range(8):
            list(cutter.accept(np.zeros(RATE, np.float32), []))


@pytest.mark.parametrize(
    "rows",
    [
        [(-1, 500)],
        [(500, 400)],
        [(0, 500), (400, 900)],
        [(0, -1), (100, -1)],
        [(500, 30_000)],
        [(0, 19_000)],
    ],
)
def test_answers_that_cannot_be_are_refused(rows):
    cutter = SegmentCutter(max_segment_ms=10_000)
    with pytest.raises(ProtocolError, match="expected segments in order"):
        list(cutter.accept(np.zeros(20 * RATE, np.float32), rows))


def test_a_segment_without_end_is_told():
    cutter = SegmentCutter(max_segment_ms=10_000)
    list(cutter.accept(np.zeros(RATE, np.float32), [(500, -1)]))
    with pytest.raises(ProtocolError, match="no end of the segment at 500 ms"):
        cutter.finish()
