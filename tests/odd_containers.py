"""Uncompressed files, headers as asked for: `stated` is the size that they say samples have."""

from __future__ import annotations

import struct

_GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_RIFF_GUID = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")


def wav(form: bytes, data: bytes, stated: int | None = None, before: bytes = b"") -> bytes:
    """A WAV with a `fmt ` chunk of this body, and other chunks before its samples."""
    size = len(data) if stated is None else stated
    head = before + b"fmt " + struct.pack("<I", len(form)) + form
    riff = (4 + len(head) + 8 + size) & 0xFFFFFFFF
    return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + head + b"data" + u32(size) + data


def u32(size: int) -> bytes:
    """A size as RIFF writes it."""
    return struct.pack("<I", size & 0xFFFFFFFF)


def wav_form(tag: int, rate: int, channels: int, bits: int) -> bytes:
    """The body of a `fmt ` chunk."""
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)


def rf64(form: bytes, data: bytes, stated: int | None = None) -> bytes:
    """A WAV for more than 4 GB, which says its size elsewhere."""
    size = len(data) if stated is None else stated
    ds64 = struct.pack("<QQQI", 72 + size, size, 0, 0)
    head = b"ds64" + struct.pack("<I", 28) + ds64 + b"fmt " + struct.pack("<I", len(form)) + form
    return b"RF64\xff\xff\xff\xffWAVE" + head + b"data\xff\xff\xff\xff" + data


def wave64(form: bytes, data: bytes, stated: int | None = None) -> bytes:
    """Sony's Wave64."""
    size = 24 + (len(data) if stated is None else stated)
    body = form + bytes(-len(form) % 8)
    head = b"wave" + _GUID + b"fmt " + _GUID + struct.pack("<Q", 24 + len(form)) + body
    riff = struct.pack("<Q", 24 + len(head) + size)
    return _RIFF_GUID + riff + head + b"data" + _GUID + struct.pack("<Q", size) + data


def aiff(rate: int, channels: int, bits: int, data: bytes, stated: int | None = None) -> bytes:
    """An AIFF, of big-endian samples."""
    size = len(data) if stated is None else stated
    exponent = 16383 + rate.bit_length() - 1
    extended = struct.pack(">HQ", exponent, rate << (63 - (rate.bit_length() - 1)))
    frames = size // (channels * bits // 8)
    comm = b"COMM" + struct.pack(">IHIH", 18, channels, frames & 0xFFFFFFFF, bits) + extended
    ssnd = b"SSND" + struct.pack(">III", (size + 8) & 0xFFFFFFFF, 0, 0) + data
    form = (4 + len(comm) + 16 + size) & 0xFFFFFFFF
    return b"FORM" + struct.pack(">I", form) + b"AIFF" + comm + ssnd


def au(rate: int, channels: int, encoding: int, data: bytes, stated: int | None = None) -> bytes:
    """Sun's AU."""
    size = len(data) if stated is None else stated
    return b".snd" + struct.pack(">IIIII", 24, size & 0xFFFFFFFF, encoding, rate, channels) + data


def caf(rate: int, channels: int, bits: int, data: bytes, stated: int | None = None) -> bytes:
    """Apple's CAF, of little-endian integers."""
    size = 4 + (len(data) if stated is None else stated)
    block = channels * bits // 8
    desc = struct.pack(">d4sIIIII", rate, b"lpcm", 2, block, 1, channels, bits)
    if stated == 0xFFFFFFFF:
        size = -1
    head = b"caff\0\1\0\0desc" + struct.pack(">q", len(desc)) + desc
    return head + b"data" + struct.pack(">qI", size, 0) + data
