"""AIFF and AIFF-C, Sun's AU, and Apple's CAF.

(Apple: AIFF-C draft of 1991; Core Audio Format Specification 1.0. Sun: audio file format of 1992)
"""

from __future__ import annotations

import re
import struct

from ..samples import MAX_CHANNELS, PcmFormat, float_name, integer_name
from .header import (
    MAX_HEADER_BYTES,
    Container,
    Header,
    NotUncompressed,
    header_of,
    is_chunk_name,
    is_placeholder,
    stated_size,
    trailing_chunk,
)

_AIFF_TRAILERS = frozenset(
    (
        *(b"MARK", b"INST", b"MIDI", b"AESD", b"APPL", b"COMT", b"NAME", b"AUTH", b"(c) ", b"ANNO"),
        *(b"ID3 ", b"id3 ", b"FVER", b"CHAN", b"basc", b"trns", b"cate", b"PEAK", b"SAXL", b"FLLR"),
    )
)
_CAF_TRAILERS = frozenset(
    (
        *(b"chan", b"info", b"free", b"uuid", b"kuki", b"mark", b"regn", b"strg", b"midi", b"inst"),
        *(b"ovvw", b"peak", b"umid", b"pakt", b"edct", b"ldat"),
    )
)

# Compression type of AIFF-C → sample format; None: integers of the size that is said.
_AIFF_CODECS = {
    **{b"NONE": None, b"twos": None, b"sowt": None, b"raw ": "u8", b"in24": "s24be"},
    **{b"in32": "s32be", b"fl32": "f32be", b"FL32": "f32be", b"fl64": "f64be", b"FL64": "f64be"},
    **{b"ulaw": "mulaw", b"ULAW": "mulaw", b"alaw": "alaw", b"ALAW": "alaw"},
}
_AU_ENCODINGS = {
    **{1: "mulaw", 2: "s8", 3: "s16be", 4: "s24be", 5: "s32be", 6: "f32be", 7: "f64be"},
    27: "alaw",
}


def _read_aiff(data: bytes, is_all: bool) -> Header | None:
    """Read the chunks up to the samples; see `Container.read`."""
    form: PcmFormat | None = None
    described = False
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], _u32(data, position + 4)
        body = position + 8
        if name == b"SSND":
            if body + 8 > len(data):
                return None
            if not described:
                raise NotUncompressed("the samples stand before their description")
            skipped = 8 + _u32(data, body)
            start = body + (skipped if skipped < MAX_HEADER_BYTES else 8)
            form_size = _u32(data, 4)
            end = None if is_placeholder(form_size) else form_size + 8
            return header_of(form, start, stated_size(size, start - body), end)
        if name == b"COMM":
            if body + min(size, 22) > len(data):
                return None
            form, described = _aiff_format(data[body : body + min(size, 22)]), True
        if not is_chunk_name(name) or body + size > MAX_HEADER_BYTES:
            raise NotUncompressed("no samples in the file")
        position = body + size + size % 2
    return None


def _aiff_format(body: bytes) -> PcmFormat | None:
    """Return what a `COMM` chunk says; None for a codec, or what makes no sense."""
    if len(body) < 18:
        return None
    channels, _, bits = struct.unpack(">HIH", body[:8])
    exponent, mantissa = struct.unpack(">HQ", body[8:18])
    # The mantissa's first bit is the whole part: no rate needs a larger exponent than its own.
    rate = int(mantissa * 2.0 ** (min(exponent & 0x7FFF, 16383 + 63) - 16383 - 63))
    codec = body[18:22] or b"NONE"
    name = _AIFF_CODECS.get(codec, "")
    if name is None:
        name = integer_name((bits + 7) // 8, "le" if codec == b"sowt" else "be")
    return PcmFormat(name, rate, channels) if name and 1 <= channels <= MAX_CHANNELS else None


def _read_au(data: bytes, is_all: bool) -> Header | None:
    """Read the header; see `Container.read`."""
    if len(data) < 24:
        return None
    start, size, encoding, rate, channels = struct.unpack(">IIIII", data[4:24])
    name = _AU_ENCODINGS.get(encoding)
    if name is None or not 1 <= channels <= MAX_CHANNELS or start > MAX_HEADER_BYTES:
        return Header(None, min(start, MAX_HEADER_BYTES), None)
    return Header(PcmFormat(name, rate, channels), max(start, 24), stated_size(size))


def _no_chunk(data: bytes, chunks_end: int, size: int) -> int:
    """Return that nothing but samples stands behind samples; see `Container`."""
    return 0


def _read_caf(data: bytes, is_all: bool) -> Header | None:
    """Read the chunks up to the samples; see `Container.read`."""
    form: PcmFormat | None = None
    position = 8
    while position + 12 <= len(data):
        name = data[position : position + 4]
        (size,) = struct.unpack(">q", data[position + 4 : position + 12])
        body = position + 12
        if name == b"data":
            # A number of edits stands before the samples.
            return Header(form, body + 4, None if size < 0 else stated_size(size, 4))
        if name == b"desc" and body + 32 <= len(data):
            form = _caf_format(data[body : body + 32])
        if not is_chunk_name(name) or not 0 <= size <= MAX_HEADER_BYTES:
            raise NotUncompressed("no samples in the file")
        position = body + size
    return None


def _caf_format(body: bytes) -> PcmFormat | None:
    """Return what a `desc` chunk says; None for a codec, or what makes no sense."""
    rate, codec, flags, packet, frames, channels, bits = struct.unpack(">d4sIIIII", body)
    end = "le" if flags & 2 else "be"
    size = (bits + 7) // 8
    if frames == 1 and channels and packet % channels == 0 and packet // channels <= 8:
        size = max(size, packet // channels)  # 24 bits in 32 are the upper ones
    linear = float_name(size, end) if flags & 1 else integer_name(size, end)
    name = {b"lpcm": linear, b"ulaw": "mulaw", b"alaw": "alaw"}.get(codec)
    if not name or not 1 <= channels <= MAX_CHANNELS or not 0 < rate < 1e9:
        return None
    return PcmFormat(name, int(rate), channels)


def _caf_chunk_bytes(data: bytes, chunks_end: int, size: int) -> int:
    """Return the length of the chunk that stands behind the samples; see `Container`."""
    if data[:4] not in _CAF_TRAILERS:
        return 0
    (length,) = struct.unpack(">q", data[4:12].ljust(8, b"\0"))
    return 12 + max(int(length), 0)


def _u32(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "big")


AIFF = Container(
    name="AIFF",
    pattern=re.compile(rb"FORM.{4}AIF[FC][ -~]{4}", re.DOTALL),
    pattern_bytes=16,
    anchor=b"AIF",
    anchor_at=8,
    leads=(b"FORM",),
    read=_read_aiff,
    chunk_bytes=trailing_chunk("big", _AIFF_TRAILERS),
)
AU = Container(
    name="AU",
    pattern=re.compile(
        rb"\.snd\x00[\x00-\x10].{2}.{4}\x00{3}[\x01-\x1b]\x00.{3}\x00{2}.{2}", re.DOTALL
    ),
    pattern_bytes=24,
    anchor=b".snd",
    anchor_at=0,
    leads=(b".snd",),
    read=_read_au,
    chunk_bytes=_no_chunk,
)
CAF = Container(
    name="CAF",
    pattern=re.compile(rb"caff\x00\x01..desc", re.DOTALL),
    pattern_bytes=12,
    anchor=b"desc",
    anchor_at=8,
    leads=(b"caff",),
    read=_read_caf,
    chunk_bytes=_caf_chunk_bytes,
)
