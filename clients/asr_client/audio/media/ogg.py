"""What the pages of an Ogg file say of its length, its links, and whether its end is there.

ffmpeg says neither: it gives whole blocks of Vorbis where the stream ends within one, and nothing
of a file that was cut off. (RFC 3533; RFC 7845, section 4; Vorbis I specification, A.2)
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"OggS"
_HEADER_BYTES = 27
_HEAD_BYTES = 64  # of a stream, with its codec, rate and channels
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
        lacks_pages: the numbers of a stream's pages have a gap.
    """

    duration_s: float | None
    is_complete: bool
    lacks_pages: bool


def read_ogg(path: Path) -> OggPages:
    """Look at all pages of a file; what is between them is skipped."""
    streams = 0
    unended: set[int] = set()
    rate, skip = 0, 0
    first_granule = last_granule = -1
    is_whole, lacks_pages = True, False
    numbers: dict[int, int] = {}  # of the last page of each stream behind its headers
    for page in _pages(path):
        number = numbers.pop(page.serial, None)
        lacks_pages |= number is not None and page.number > number + 1 and not page.begins
        if page.granule > 0 or number is not None:
            numbers[page.serial] = page.number
        if page.begins:
            streams += 1
            unended.add(page.serial)
            rate, skip = _codec(page.head)
        if page.ends:
            unended.discard(page.serial)
        if page.granule > 0:
            first_granule = page.granule if first_granule < 0 else first_granule
            last_granule = max(last_granule, page.granule)
        is_whole = is_whole and page.is_whole
    is_complete = is_whole and not unended
    known = streams == 1 and rate and 0 <= first_granule <= _FIRST_PAGE_S * rate
    duration_s = max(last_granule - skip, 0) / rate if known and is_complete else None
    return OggPages(duration_s, is_complete, lacks_pages)


def find_links(path: Path, most: int) -> list[int]:
    """Return where in a chained file the second and further links begin, in bytes.

    A decoder that goes on with the next link is some ms off at each, and lost where that is coded
    otherwise or the one before is damaged. (RFC 3533, section 4: streams that sound together all
    begin before any goes on, so that a link begins where a stream does behind a page that begins
    none.)

    Args:
        path: of the file.
        most: links to return; where there are more, those that a decoder can go on with are left
            out.
    """
    links: list[int] = []
    lost: list[int] = []
    before: list[bytes] | None = None  # the forms of the link before; None if it is damaged
    link: list[bytes] = []
    link_at, is_beginning, is_damaged = 0, False, False
    for page in _pages(path):
        if page.begins:
            if not is_beginning:
                link_at, before, link = page.place, None if is_damaged else link, []
                is_damaged = False
            link.append(_form(page.head))
        elif is_beginning and link_at:
            links.append(link_at)
            lost += [link_at] if link != before else []
        is_beginning = page.begins
        is_damaged = is_damaged or not page.is_whole
    return links if len(links) <= most else lost


@dataclass(frozen=True)
class _Page:
    """A page: where it is in the file, what its header says, and how its bytes begin."""

    place: int
    begins: bool
    ends: bool
    granule: int
    serial: int
    number: int
    head: bytes
    is_whole: bool


def _pages(path: Path) -> Iterator[_Page]:
    """Yield all pages of a file, those behind a page that lacks its end, too."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = data.find(MAGIC)
        while place >= 0 and len(header := data[place : place + _HEADER_BYTES]) == _HEADER_BYTES:
            body = place + _HEADER_BYTES + header[26]
            lengths = data[place + _HEADER_BYTES : body]
            end = body + sum(lengths)
            is_whole = len(lengths) == header[26] and end <= len(data)
            following = end
            if data[end : end + len(MAGIC)] != MAGIC:
                following = data.find(MAGIC, place + len(MAGIC))
                is_whole = is_whole and not 0 <= following < end
            yield _Page(
                place,
                bool(header[5] & _BEGIN),
                bool(header[5] & _END),
                int.from_bytes(header[6:14], "little", signed=True),
                int.from_bytes(header[14:18], "little"),
                int.from_bytes(header[18:22], "little"),
                data[body : min(end, body + _HEAD_BYTES)],
                is_whole,
            )
            place = following


def _codec(packet: bytes) -> tuple[int, int]:
    """Return the rate that a stream's pages count in, and how many frames they count too many."""
    if packet.startswith(b"\x01vorbis"):
        return int.from_bytes(packet[12:16], "little"), 0
    if packet.startswith(b"OpusHead"):
        return _OPUS_RATE, int.from_bytes(packet[10:12], "little")
    return 0, 0


def _form(packet: bytes) -> bytes:
    """Return what a stream's first packet says of its codec, rate and channels."""
    if packet.startswith(b"\x01vorbis"):
        return packet[:16]
    if packet.startswith(b"OpusHead"):
        return packet[:8] + packet[9:10] + packet[18:19]
    if packet.startswith(b"\x7fFLAC"):  # rate, channels and depth are 28 bits
        return packet[:5] + packet[27:30] + bytes([packet[30] & 0xF0] if len(packet) > 30 else [])
    return packet
