"""WAV and its big sisters (RIFX, RF64, BW64), and Sony's Wave64.

(Microsoft and IBM: Multimedia Programming Interface 1.0; EBU Tech 3306; ITU-R BS.2088)
"""

from __future__ import annotations

import re
import struct
from typing import Literal

from ..samples import MAX_CHANNELS, PcmFormat, float_name, integer_name
from .header import (
    MAX_HEADER_BYTES,
    Container,
    Header,
    header_of,
    is_chunk_name,
    is_placeholder,
    stated_size,
    trailing_chunk,
)

_INTEGER, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE

# Chunks that programs leave behind samples though the header's size does not count them.
_TRAILERS = frozenset(
    (
        *(b"LIST", b"list", b"INFO", b"id3 ", b"ID3 ", b"fact", b"cue ", b"plst", b"smpl", b"inst"),
        *(b"bext", b"iXML", b"aXML", b"axml", b"chna", b"cart", b"DISP", b"JUNK", b"junk", b"PAD "),
        *(b"FLLR", b"PEAK", b"LGWV", b"ResU", b"umid", b"minf", b"elm1", b"regn", b"_PMX", b"afsp"),
        *(b"levl", b"link", b"MD5 ", b"strc", b"acid", b"note", b"labl", b"ltxt", b"CSET", b"DGDA"),
        *(b"SNDM", b"guan", b"ovwf", b"Cr8r", b"SMED", b"trck", b"tlst", b"vers", b"wave"),
    )
)

_GUID_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_LIST_TAIL = bytes.fromhex("2f91cf11a5d628db04c10000")
_RIFF64 = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")


def read_format(body: bytes, order: Literal["<", ">"] = "<") -> PcmFormat | None:
    """Return what a `fmt ` chunk says; None for a codec, or what makes no sense."""
    if len(body) < 16:
        return None
    tag, channels, rate, _, block, bits = struct.unpack(f"{order}HHIIHH", body[:16])
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack(f"{order}H", body[24:26])
    if not 1 <= channels <= MAX_CHANNELS:
        return None
    # Players go by the bits; only what is no size of its own lies in the block's: 20 or 24 in 32.
    size = (bits + 7) // 8
    if size in (0, 3) and block in (2 * channels, 4 * channels):
        size = block // channels
    end = "le" if order == "<" else "be"
    if tag == _INTEGER:
        name = integer_name(size, end, unsigned_bytes=True)
    elif tag == _FLOAT:
        name = float_name(size, end)
    else:
        name = {_ALAW: "alaw", _MULAW: "mulaw"}.get(tag, "") if size == 1 else ""
    return PcmFormat(name, rate, channels) if name else None


def _read_wav(data: bytes, is_all: bool) -> Header | None:
    """Read the chunks up to the samples; see `Container.read`."""
    order: Literal["<", ">"] = ">" if data.startswith(b"RIFX") else "<"
    byte_order: Literal["little", "big"] = "little" if order == "<" else "big"
    riff_size = int.from_bytes(data[4:8], byte_order)
    long_size: int | None = None
    fmt = b""
    position = 12
    while position + 8 <= len(data):
        name = data[position : position + 4]
        size = int.from_bytes(data[position + 4 : position + 8], byte_order)
        body = position + 8
        if name == b"data":
            break
        if name == b"ds64" and body + 16 <= len(data):
            riff_size, long_size = struct.unpack("<QQ", data[body : body + 16])
        if name == b"fmt ":
            fmt = data[body : body + min(size, 64)]
        if not is_chunk_name(name) or body + size > MAX_HEADER_BYTES:
            position = len(data)  # a size before was wrong
            break
        # Some programs leave the padding out.
        position = body + size + (size % 2 if data[body + size : body + size + 1] <= b"\0" else 0)
    if position + 8 > len(data):  # the samples are there all the same
        place = data.find(b"data", 12)
        if place < 0 or place + 8 > len(data) or not (is_all or len(data) >= MAX_HEADER_BYTES):
            return None
        position, size, body = place, int.from_bytes(data[place + 4 : place + 8], byte_order), 0
        body = place + 8
    stated = stated_size(size)
    if stated is None:
        stated = stated_size(long_size) if long_size else None
    end = None if is_placeholder(riff_size) else riff_size + 8
    return header_of(read_format(fmt, order), body, stated, end, fmt)


def _read_wave64(data: bytes, is_all: bool) -> Header | None:
    """Read the chunks up to the samples; see `Container.read`."""
    fmt = b""
    position = 40
    while position + 24 <= len(data):
        name, size = data[position : position + 4], _u64(data, position + 16)
        body = position + 24
        if name == b"data":
            return header_of(read_format(fmt), body, stated_size(size, 24), _u64(data, 16), fmt)
        if name == b"fmt ":
            fmt = data[body : body + min(max(size - 24, 0), 64)]
        if not 24 <= size <= MAX_HEADER_BYTES:
            break
        position += -(-size // 8) * 8
    return None


def _wave64_chunk_bytes(data: bytes, chunks_end: int, size: int) -> int:
    """Return the length of the chunk that stands behind the samples; see `Container`."""
    for pad in (-size % 8, 0):
        if data[pad + 4 : pad + 16] in (_GUID_TAIL, _LIST_TAIL):
            return pad + -(-_u64(data, pad + 16) // 8) * 8
    return 0


def _u64(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 8], "little")


WAV = Container(
    name="WAV",
    pattern=re.compile(rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE[ -~]{4}", re.DOTALL),
    pattern_bytes=16,
    anchor=b"WAVE",
    anchor_at=8,
    leads=(b"RIFF", b"RIFX", b"RF64", b"BW64"),
    read=_read_wav,
    chunk_bytes=trailing_chunk("little", _TRAILERS),
    inner=((b"LIST", b"INFO"), (b"LIST", b"adtl"), (b"id3 ", b"ID3")),
)
WAVE64 = Container(
    name="Wave64",
    pattern=re.compile(re.escape(_RIFF64) + rb".{8}wave" + re.escape(_GUID_TAIL), re.DOTALL),
    pattern_bytes=40,
    anchor=b"wave" + _GUID_TAIL[:2],
    anchor_at=24,
    leads=(b"riff",),
    read=_read_wave64,
    chunk_bytes=_wave64_chunk_bytes,
    alignment=8,
)
