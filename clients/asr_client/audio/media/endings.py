"""Whether a coded file ends where its format says that it does, and lacks nothing before it.

What ffmpeg tells by itself is not looked for.

A cut in a stream of frames without a length is seen by the last frame, which is not whole. One
that falls between two frames of such a stream leaves no trace; nobody can see it.
(ISO/IEC 11172-3 and 13818-3, 14496-3 part 1.7.3, 13818-1; the tag of Xing's and LAME's encoders;
MIDI 1.0's sample dump standard)
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..raw import RawFormat
from . import mp4

_GSM_FRAME_BYTES = 33
_TS_PACKET_BYTES, _TS_PADDING = 188, 0x1FFF

# GUIDs of objects in an ASF (Advanced Systems Format specification, 2.1, 3.2, 5).
_ASF_LEAD = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_HEADER_BYTES, _ASF_DATA_BYTES = 1 << 20, 50

_SDS_LEAD, _SDS_HEADER_BYTES, _SDS_PACKET_BYTES = b"\xf0\x7e", 21, 127

_AMR_LEAD, _AMR_NO_DATA = b"#!AMR\n", 15
_AMR_BYTES = dict(enumerate((12, 13, 15, 17, 19, 20, 26, 31, 5))) | {_AMR_NO_DATA: 0}

# What ffmpeg says of a tag between frames of MPEG audio, of a frame of AMR without data, and of the
# end of a MIDI sample dump.
_NO_FRAME = "Header missing"
_NO_DATA = "Corrupt bitstream"
_NO_PACKET = "Error during demuxing: Invalid data found when processing input"

_RATES = ((11025, 12000, 8000), (0, 0, 0), (22050, 24000, 16000), (44100, 48000, 32000))
_KBITS = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_KBITS[2, 1] = _KBITS[2, 2]
_TAGS_BEHIND = (b"APETAGEX", b"LYRICSBEGIN", b"ID3", b"3DI")
_ID3V1_BYTES = 128


@dataclass(frozen=True)
class Ending:
    """What was found.

    Attributes:
        is_cut: the last frame, packet or chunk is not whole.
        stated_s: how long the file says that its audio is, in seconds; None if it does not, or
            ffmpeg tells.
        has_gaps: what stands for a part that is missing was seen, or frames are numbered, so that
            a gap between their times is such a part.
        left_out_s: how much of the audio the file says is not to be played, in seconds.
        harmless: what ffmpeg calls an error, and is none in this file; "" if there is nothing.
    """

    is_cut: bool = False
    stated_s: float | None = None
    harmless: str = ""
    has_gaps: bool = False
    left_out_s: float = 0.0


def read_ending(path: Path, raw: RawFormat | None) -> Ending:
    """Look at a file as far as it is needed to know how it ends."""
    size = path.stat().st_size
    if raw is not None:
        return Ending(is_cut=raw.name == "gsm" and size % _GSM_FRAME_BYTES > 0)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        head = data[:64]
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return Ending(is_cut=int.from_bytes(head[4:8], "little") + 8 > size)
        if head[:4] in (b".SoX", b"XoS."):
            return _sox(head)
        if head[:1] == b"G" and data[_TS_PACKET_BYTES : _TS_PACKET_BYTES + 1] == b"G":
            return Ending(is_cut=size % _TS_PACKET_BYTES > 0, has_gaps=_lacks_packets(data))
        if mp4.is_mp4(data):
            found = mp4.read_mp4(data)
            return Ending(has_gaps=found.lacks_fragments, left_out_s=found.left_out_s)
        if head[:4] in (b"fLaC", b"wvpk"):
            return Ending(has_gaps=True)
        if head[:16] == _ASF_LEAD:
            return _asf(data)
        if head.startswith(_AMR_LEAD):
            return _amr(data)
        if head[:2] == _SDS_LEAD and head[3:4] == b"\x01":
            return _sds(head, size)
        if head[:1] == b"\x56" and head[1] & 0xE0 == 0xE0:
            return Ending(is_cut=_latm_is_cut(data))
        if head[:3] == b"ID3" or _mpeg_frame(head) is not None:
            return _mpeg_audio(data)
    return Ending()


def _sox(head: bytes) -> Ending:
    """Read SoX's own header: size, samples, rate, channels."""
    order = "<" if head[:4] == b".SoX" else ">"
    samples, rate, channels = struct.unpack(f"{order}QdI", head[8:28])
    seconds = samples / rate / channels if rate > 0 and channels > 0 else 0
    return Ending(stated_s=seconds or None)


def _asf(data: mmap.mmap) -> Ending:
    """Read the properties of an ASF (WMA), which ffmpeg takes for wrong in a file that is cut."""
    place = data.find(_ASF_PROPERTIES, 0, _ASF_HEADER_BYTES)
    samples = data.find(_ASF_DATA, 0, _ASF_HEADER_BYTES)
    if place < 0 or samples < 0 or len(data) < place + 100:
        return Ending()
    packets, played, _, preroll_ms, flags, _, packet_bytes = struct.unpack(
        "<QQQQIII", data[place + 56 : place + 100]
    )
    if flags & 1 or not packet_bytes:  # it is sent live, and says nothing
        return Ending()
    stated_s = played / 1e7 - preroll_ms / 1e3
    present = (len(data) - samples - _ASF_DATA_BYTES) // packet_bytes
    return Ending(stated_s=stated_s if stated_s > 0 else None, has_gaps=present < packets)


def _lacks_packets(data: mmap.mmap) -> bool:
    """Return whether the numbers of a transport stream's packets have a gap (13818-1, 2.4.3.3)."""
    numbers: dict[int, int] = {}
    for place in range(0, len(data) - _TS_PACKET_BYTES + 1, _TS_PACKET_BYTES):
        sync, high, low, control, length, flags = data[place : place + 6]
        if sync != ord("G"):
            return False  # lost: ffmpeg will say so
        track, number = (high & 0x1F) << 8 | low, control & 15
        if track == _TS_PADDING or not control & 0x10:
            continue
        known = numbers.get(track, number)
        numbers[track] = number
        says_so = control & 0x20 and length and flags & 0x80
        if number not in (known, (known + 1) & 15) and not says_so:
            return True
    return False


def _sds(head: bytes, size: int) -> Ending:
    """Read the header of a MIDI sample dump: a sample's time in ns, and how many there are."""
    period, samples = (
        sum(byte << 7 * place for place, byte in enumerate(head[first : first + 3]))
        for first in (7, 10)
    )
    is_cut = (size - _SDS_HEADER_BYTES) % _SDS_PACKET_BYTES > 0
    return Ending(is_cut, samples * period / 1e9 or None, "" if is_cut else _NO_PACKET)


def _amr(data: mmap.mmap) -> Ending:
    """Follow the frames: those without data are a pause, and no damage (RFC 4867, 5.3)."""
    place, has_pauses = len(_AMR_LEAD), False
    while place < len(data):
        kind = data[place] >> 3 & 15
        if kind not in _AMR_BYTES:
            return Ending()  # lost: ffmpeg will say so
        has_pauses |= kind == _AMR_NO_DATA
        place += 1 + _AMR_BYTES[kind]
    is_cut = place > len(data)
    return Ending(is_cut, harmless=_NO_DATA if has_pauses and not is_cut else "")


def _latm_is_cut(data: mmap.mmap) -> bool:
    """Follow the frames of an audio sync stream."""
    place, size = 0, len(data)
    while place + 3 <= size:
        if data[place] != 0x56 or data[place + 1] & 0xE0 != 0xE0:
            return False  # lost: ffmpeg will say so
        place += 3 + ((data[place + 1] & 0x1F) << 8 | data[place + 2])
    return place != size


@dataclass(frozen=True)
class _Frame:
    """The header of an MPEG audio frame."""

    size: int
    samples: int
    rate: int
    tag_at: int  # where the tag of its encoder would be


def _mpeg_frame(header: bytes) -> _Frame | None:
    """Read four bytes as the header of an MPEG audio frame; None if they are none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bits, rates = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 0 or bits in (0, 15) or rates == 3:
        return None
    rate = _RATES[version][rates]
    kbits = _KBITS[3 if version == 3 else 2, layer][bits - 1]
    padding = header[2] >> 1 & 1
    if layer == 3:
        return _Frame((12_000 * kbits // rate + padding) * 4, 384, rate, 0)
    samples = 576 if layer == 1 and version != 3 else 1152
    mono = header[3] >> 6 == 3
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    return _Frame(samples // 8 * 1000 * kbits // rate + padding, samples, rate, 4 + side)


def _mpeg_audio(data: mmap.mmap) -> Ending:
    """Follow the frames of layers 1 to 3; several files may be joined."""
    stated_s = 0.0
    is_stated, is_cut, is_first, tags, others = True, False, True, 0, 0
    for place, frame in _mpeg_parts(data):
        if frame is None:
            is_tag = not is_first and _behind_tag(data, place) > place
            tags, others = tags + is_tag, others + (not is_tag and not is_first)
            continue
        tag = data[place + frame.tag_at : place + frame.tag_at + 12]
        if tag[:4] in (b"Xing", b"Info") and tag[7] & 1:
            stated_s += int.from_bytes(tag[8:12], "big") * frame.samples / frame.rate
        elif is_first:
            is_stated = False
        is_first = False
        is_cut = place + frame.size > len(data)
    harmless = _NO_FRAME if tags and not others else ""
    return Ending(is_cut, stated_s if is_stated and stated_s else None, harmless)


def _mpeg_parts(data: mmap.mmap) -> Iterator[tuple[int, _Frame | None]]:
    """Yield where each frame is; None for it where something else is."""
    place, size = 0, len(data)
    while place + 4 <= size:
        frame = _mpeg_frame(data[place : place + 4])
        yield place, frame
        if frame is not None:
            place += frame.size
        elif (behind := _behind_tag(data, place)) > place:
            place = behind
        elif data[place : place + 11].startswith(_TAGS_BEHIND):
            return
        else:
            place = data.find(b"\xff", place + 1)
            if place < 0:
                return


def _behind_tag(data: mmap.mmap, place: int) -> int:
    """Return where a tag ends that is at a place; the place itself if there is none."""
    if data[place : place + 3] == b"TAG":
        return place + _ID3V1_BYTES
    return behind_id3(data, place)


def behind_id3(data: mmap.mmap, place: int) -> int:
    """Return where an ID3v2 tag ends that may be at a place."""
    head = data[place : place + 10]
    if head[:3] != b"ID3" or len(head) < 10:
        return place
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return place + 10 + size
