"""Files that ffmpeg misreads, written anew for it.

WAV files of a codec whose headers lie about their length: ffmpeg believes the size that a header
says, and takes headers in the middle for sound. FLAC with a tag of MP3 behind it, which ffmpeg
takes for damage.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ...storage import storing
from ..containers import Header, NotUncompressed, SampleStream

_BLOCK_BYTES = 1 << 18
_UNKNOWN = 0xFFFFFFFF
_ID3V1_BYTES = 128


def repaired(path: Path, folder: Path) -> tuple[Path, float]:
    """Return a file that ffmpeg reads to its end, the same or a copy in `folder`.

    Also how many seconds of what the headers say a copy lacks; ffmpeg does not see that.

    Raises:
        StorageFull: there is no room for the copy.
    """
    stream = SampleStream()
    try:
        for _ in _samples(path, stream):
            pass
    except NotUncompressed:
        return path, 0.0
    if stream.is_plain and stream.stated_bytes is not None:
        return path, 0.0
    copy = folder / "repaired.wav"
    with storing("a temporary file of the audio"), copy.open("w+b") as file:
        first: Header | None = None
        current: Header | None = None
        for header, samples in _samples(path, SampleStream()):
            if first is None:
                first = header
                file.write(_head(first.fmt, _UNKNOWN))
            elif header is not current:
                _end_block(file, first)
            current = header
            file.write(samples)
        if first is None:
            return path, 0.0
        _end_block(file, first, is_last=True)
        start = len(_head(first.fmt, 0))
        size = file.tell() - start
        if size < _UNKNOWN - start:
            file.seek(0)
            file.write(_head(first.fmt, size))
    return copy, stream.missing_s()


def has_tag(path: Path) -> bool:
    """Return whether an ID3v1 tag stands at the end of a file."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _ID3V1_BYTES, 0))
        return file.read(3) == b"TAG"


def without_tag(path: Path, folder: Path) -> Path:
    """Return a copy in `folder` of a file, without the tag at its end.

    Raises:
        StorageFull: there is no room for the copy.
    """
    copy, left = folder / "untagged", path.stat().st_size - _ID3V1_BYTES
    with storing("a temporary file of the audio"), path.open("rb") as file, copy.open("wb") as rest:
        while left > 0 and (data := file.read(min(left, _BLOCK_BYTES))):
            rest.write(data)
            left -= len(data)
    return copy


def _end_block(file: BinaryIO, header: Header, *, is_last: bool = False) -> None:
    """Drop a part of a block; at the end of all, where ffmpeg tells of it, only padding."""
    size = file.tell() - len(_head(header.fmt, 0))
    part = size % max(int.from_bytes(header.fmt[12:14], "little"), 1)
    if is_last:
        file.seek(-1, io.SEEK_END)
        part = int(part == 1 and file.read(1) == b"\0")
    file.seek(-part, io.SEEK_END)
    file.truncate()


def _head(fmt: bytes, size: int) -> bytes:
    """Return what stands before so many bytes of samples in a WAV."""
    head = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", size)
    riff = _UNKNOWN if size == _UNKNOWN else 4 + len(head) + size
    return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + head


def _samples(path: Path, stream: SampleStream) -> Iterator[tuple[Header, bytes]]:
    """Yield what is between the headers of a file."""
    with path.open("rb") as file:
        while data := file.read(_BLOCK_BYTES):
            yield from stream.feed(data)
    yield from stream.finish()
