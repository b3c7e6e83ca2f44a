"""What the boxes of an MP4 say and ffmpeg does not: what is left out of its audio, what is missing.

(ISO/IEC 14496-12: boxes 4.2, `mdhd` 8.4.2, edit lists 8.6.6, `mfhd` 8.8.5)
"""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator
from dataclasses import dataclass

_LEAST_BYTES = 8  # of a box: its size and kind


@dataclass(frozen=True)
class Mp4Boxes:
    """What was found.

    Attributes:
        lacks_fragments: the numbers of its fragments have a gap.
        left_out_s: how much of the first audio track its edit list does not play, in seconds.
    """

    lacks_fragments: bool
    left_out_s: float


def is_mp4(data: mmap.mmap) -> bool:
    """Return whether a file begins as an MP4 does."""
    return data[4:8] == b"ftyp"


def boxes(data: mmap.mmap, first: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes between two places: kind, where the content begins, where the box ends."""
    while first + _LEAST_BYTES <= end:
        size, kind = _number(data, first, 4), data[first + 4 : first + 8]
        content = first + _LEAST_BYTES
        if size == 1:
            size, content = _number(data, content, 8), content + 8
        if size < _LEAST_BYTES:
            return
        yield kind, content, first + size
        first += size


def read_mp4(data: mmap.mmap) -> Mp4Boxes:
    """Look at the boxes of a file."""
    numbers: list[int] = []
    left_out_s = 0.0
    for kind, first, end in boxes(data, 0, len(data)):
        if kind == b"moov":
            left_out_s = _left_out_s(data, first, min(end, len(data)))
        elif kind == b"moof":
            header = _find(data, first, min(end, len(data)), b"mfhd")
            numbers += [] if header is None else [_number(data, header[0] + 4, 4)]
    gaps = (later > number + 1 for number, later in itertools.pairwise(numbers))
    return Mp4Boxes(any(gaps), left_out_s)


def _left_out_s(data: mmap.mmap, first: int, end: int) -> float:
    """Return how much longer the first audio track is than what its edit list plays of it."""
    movie = _find(data, first, end, b"mvhd")
    for kind, begin, its_end in boxes(data, first, end):
        if kind != b"trak":
            continue
        handler = _find(data, begin, its_end, b"mdia", b"hdlr")
        media = _find(data, begin, its_end, b"mdia", b"mdhd")
        if handler is None or media is None or data[handler[0] + 8 : handler[0] + 12] != b"soun":
            continue
        edits = _find(data, begin, its_end, b"edts", b"elst")
        if edits is None or movie is None:
            return 0.0
        played = sum(_played(data, *edits))
        media_s, movie_scale = _duration_s(data, media[0]), _timescale(data, movie[0])
        return media_s - played / movie_scale if played and movie_scale else 0.0
    return 0.0


def _played(data: mmap.mmap, first: int, end: int) -> Iterator[int]:
    """Yield the durations of an edit list's parts that play something."""
    width = _width(data, first)
    for place in range(first + 8, end, 2 * width + 4):
        if data[place + width : place + 2 * width] != b"\xff" * width:  # else a pause
            yield _number(data, place, width)


def _width(data: mmap.mmap, header: int) -> int:
    """Return how many bytes a time takes in a box, by its version."""
    return 8 if _number(data, header, 1) else 4


def _timescale(data: mmap.mmap, header: int) -> int:
    """Return the units a second of a movie's or a track's header."""
    return _number(data, header + (20 if _width(data, header) == 8 else 12), 4)


def _duration_s(data: mmap.mmap, header: int) -> float:
    """Return the duration in a track's header, in seconds; 0 if it is not known."""
    width = _width(data, header)
    duration = _number(data, header + (24 if width == 8 else 16), width)
    scale = _timescale(data, header)
    return 0.0 if not scale or duration == (1 << 8 * width) - 1 else duration / scale


def _find(
    data: mmap.mmap, first: int, end: int, kind: bytes, *inner: bytes
) -> tuple[int, int] | None:
    """Return where the content of the first box of a kind begins and ends, or of one within it."""
    for found, content, its_end in boxes(data, first, end):
        if found == kind and its_end <= end:
            return _find(data, content, its_end, *inner) if inner else (content, its_end)
    return None


def _number(data: mmap.mmap, place: int, size: int) -> int:
    return int.from_bytes(data[place : place + size], "big")
