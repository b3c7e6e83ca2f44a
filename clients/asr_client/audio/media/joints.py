"""Coded files that were joined: each is decoded by itself, one after the other.

Recorders append a new file to the one before, and pages glue the pieces that they were given. A
decoder reads the first, and takes the rest for damage or for nothing. What ffmpeg reads on by
itself is not split: MPEG audio and transport streams, AC-3, DTS; of AAC what has one form.
"""

from __future__ import annotations

import contextlib
import mmap
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np

from ...errors import AudioError
from ...storage import storing, temporary_folder
from ..containers.iff import AIFF, CAF
from ..uncompressed import Frames
from . import mp4, ogg
from .decoding import Decoding
from .endings import behind_id3

MAX_PARTS = 200
_ADTS_HEADER_BYTES = 7
_COPY_BYTES = 1 << 20

# The first block of a WavPack file: block 0, with samples, flag 11 for the first of its channels.
_WAVPACK = (
    rb"wvpk.{4}[\x02-\x10]\x04\x00.{5}\x00{4}(?!\x00{4}).{4}.["
    + b"".join(b"\\x%02x" % flags for flags in range(256) if flags & 8)
    + b"]"
)

# How a file of each kind begins, strict enough to find one in the middle of another.
_BEGINNINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rb"\x1aE\xdf\xa3[\x42\x80-\xff\x01\x10\x20].{0,40}?B\x82.{1,8}?(?:webm|matroska)",
        rb"fLaC[\x00\x80]\x00\x00\x22",
        rb"#!AMR(?:-WB)?(?:_MC1\.0)?\n",
        rb"\x02?#!SILK_V3",
        rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",  # ASF
        rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09\x00{4}",
        rb"TTA1[\x01-\x03]\x00[\x01-\x20]\x00[\x08\x10\x18\x20]\x00",
        rb"\.RMF\x00\x00\x00[\x10-\x20]\x00[\x00\x01]",
        rb"RIFF.{4}AVI LIST",
        rb"Creative Voice File\x1a",
        _WAVPACK,
        CAF.pattern.pattern,
        AIFF.pattern.pattern,
    )
)


def find_joints(path: Path) -> list[int]:
    """Return where in a file further files of its own kind begin, in bytes."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if mp4.is_mp4(data):
            parts = mp4.boxes(data, 0, len(data))
            return [first - 8 for kind, first, _ in parts if kind == b"ftyp"][1:]
        if data[:4] == ogg.MAGIC:
            return ogg.find_links(path, MAX_PARTS - 1)
        if _adts_frame(data, first := behind_id3(data, 0)) is not None:
            return list(_adts_joints(data, first))
        for pattern in _BEGINNINGS:
            if pattern.match(data):
                return [match.start() for match in pattern.finditer(data) if match.start()]
    return []


def _adts_frame(data: mmap.mmap, place: int) -> tuple[bytes, int] | None:
    """Return the form of a frame of AAC and its size (ISO/IEC 13818-7, 6.2); None for no frame."""
    head = data[place : place + _ADTS_HEADER_BYTES]
    if len(head) < _ADTS_HEADER_BYTES or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return None
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    form = bytes([head[2] & 0xFD, head[3] & 0xC0])  # profile, rate, channels
    return (form, size) if size > _ADTS_HEADER_BYTES else None


def _adts_joints(data: mmap.mmap, place: int) -> Iterator[int]:
    """Yield where frames of AAC have another form from there on: ffmpeg keeps the first's rate."""
    form = None
    while place + _ADTS_HEADER_BYTES <= len(data):
        frame = _adts_frame(data, place)
        following = None if frame is None else _adts_frame(data, place + frame[1])
        if frame is None or following is None:  # damage, a tag, or the end
            place = data.find(b"\xff", place + 1)
            if place < 0:
                return
            continue
        if form is not None and frame[0] != form and following[0] == frame[0]:
            yield place
        if form is None or following[0] == frame[0]:
            form = frame[0]
        place += frame[1]


class JoinedDecoding:
    """The frames of joined files, in order; as `Decoding`.

    Args:
        name: of the whole, for messages.
        path: absolute.
        joints: where the second and further files begin.
        decoding: (path of a part, its share of the whole) → its decoder, in a context.
    """

    start_s = 0.0

    def __init__(
        self,
        name: str,
        path: Path,
        joints: Sequence[int],
        decoding: Callable[[Path, float], AbstractAsyncContextManager[Decoding]],
    ) -> None:
        self._name = name
        self._path = path
        self._begin = decoding
        self._bounds = [0, *joints, path.stat().st_size]
        self._warnings: list[str] = []
        self.duration_s: float | None = None
        self.decoded_s = 0.0

    async def frames(self) -> AsyncGenerator[Frames, None]:
        """Yield [samples, channels] float32 and their rate in Hz, as they come."""
        count = len(self._bounds) - 1
        failure: AudioError | None = None
        decoded = False
        for number in range(1, min(count, MAX_PARTS) + 1):
            said = f"part {number} of {count}"
            try:
                async with contextlib.aclosing(self._part(number, said)) as part:
                    async for frames in part:
                        decoded = True
                        yield frames
            except AudioError as error:
                failure = error
                why = str(error).removeprefix(f"{self._name}: ")
                self._warnings.append(f"{said} cannot be read: {why}")
        if count > MAX_PARTS:
            self._warnings.append(
                f"{count} files are joined, of which the first {MAX_PARTS} were read"
            )
        if failure is not None and not decoded:
            raise failure

    async def _part(self, number: int, said: str) -> AsyncGenerator[Frames, None]:
        """Yield the frames of one part, with silence where its sound begins later."""
        first, end = self._bounds[number - 1 : number + 1]
        with temporary_folder() as folder:
            path = Path(folder, "part")
            self._copy(path, first, end)
            async with self._begin(path, (end - first) / self._bounds[-1]) as decoding:
                lead_s = decoding.start_s
                async with contextlib.aclosing(decoding.frames()) as stream:
                    async for frames, rate in stream:
                        if lead_s:
                            yield (
                                np.zeros((round(lead_s * rate), frames.shape[1]), np.float32),
                                rate,
                            )
                            decoding.decoded_s += lead_s
                            lead_s = 0.0
                        decoding.decoded_s += len(frames) / rate
                        yield frames, rate
                self._warnings += [f"{said}: {warning}" for warning in await decoding.check_end()]

    def _copy(self, path: Path, first: int, end: int) -> None:
        """Write a part to a file of its own."""
        with (
            storing("a temporary file of the audio"),
            self._path.open("rb") as whole,
            path.open("wb") as part,
        ):
            whole.seek(first)
            left = end - first
            while left and (data := whole.read(min(left, _COPY_BYTES))):
                part.write(data)
                left -= len(data)

    async def check_end(self) -> list[str]:
        """Return what is to be said of the parts, which were read to their ends."""
        return self._warnings
