"""What the pages of an Ogg file say of its length, and whether its end is there.

ffmpeg says neither: it gives whole blocks of Vorbis where the stream ends within one, and nothing
of a file that was cut off. (RFC 3533; RFC 7845, section 4; Vorbis I specification, A.2)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"OggS"
_HEADER_BYTES = 27
_BLOCK_BYTES = 1 << 16
_BEGIN, _END = 2, 4  # flags of a page
_OPUS_RATE = 48_000

# A stream that was cut out of a longer one counts from there; its length is not known then.
_FIRST_PAGE_S = 5


@dataclass(frozen=True)
class OggPages:
    """What was found.

    Attributes:
        duration_s: of the one stream of audio that begins with the file, in seconds; None if it
            is not known, or there are several.
        is_complete: every stream has its last page, and nothing is missing of any.
    """

    duration_s: float | None
    is_complete: bool


def read_ogg(path: Path) -> OggPages:
    """Look at all pages of a file; what is between them is skipped."""
    streams = 0
    unended: set[int] = set()
    rate, skip = 0, 0
    first_granule = last_granule = -1
    is_whole = True
    with path.open("rb") as file:
        while (header := _next_page(file)) is not None:
            flags, serial = header[5], int.from_bytes(header[14:18], "little")
            granule = int.from_bytes(header[6:14], "little", signed=True)
            lengths = file.read(header[26])
            size = sum(lengths)
            if flags & _BEGIN:
                streams += 1
                unended.add(serial)
                rate, skip = _codec(file.read(min(size, 64)))
                size -= min(size, 64)
            if flags & _END:
                unended.discard(serial)
            if granule > 0:
                first_granule = granule if first_granule < 0 else first_granule
                last_granule = max(last_granule, granule)
            place = file.seek(size, 1)
            if len(lengths) < header[26] or place > path.stat().st_size:
                is_whole = False
    is_complete = is_whole and not unended
    known = streams == 1 and rate and 0 <= first_granule <= _FIRST_PAGE_S * rate
    duration_s = max(last_granule - skip, 0) / rate if known and is_complete else None
    return OggPages(duration_s, is_complete)


def _next_page(file: BinaryIO) -> bytes | None:
    """Return the header of the next page; None if there is none."""
    header = file.read(_HEADER_BYTES)
    while header and not header.startswith(MAGIC):
        data = header + file.read(_BLOCK_BYTES)
        place = data.find(MAGIC, 1)
        if place < 0:
            if len(data) < len(header) + _BLOCK_BYTES:
                return None
            header = data[-3:]
            continue
        file.seek(place + _HEADER_BYTES - len(data), 1)
        header = data[place : place + _HEADER_BYTES]
    return header if len(header) == _HEADER_BYTES else None


def _codec(packet: bytes) -> tuple[int, int]:
    """Return the rate that a stream's pages count in, and how many frames they count too many."""
    if packet.startswith(b"\x01vorbis"):
        return int.from_bytes(packet[12:16], "little"), 0
    if packet.startswith(b"OpusHead"):
        return _OPUS_RATE, int.from_bytes(packet[10:12], "little")
    return 0, 0
