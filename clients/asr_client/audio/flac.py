"""FLAC through libsndfile, where it can be shown to read all that is there.

It is the one codec that any decoder decodes to the same samples, so it need not go the way of
ffmpeg's process. libsndfile stops where a second file begins and gives what it finds of a file
that is cut off, believes the number of samples that the file says, and writes zeros for frames
that are missing; all are noticed here, by the last frame and the file's own checksum of its
samples, and left to ffmpeg. (RFC 9639, sections 8.2 and 9.1)
"""

from __future__ import annotations

import hashlib
import io
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from .samples import scale_array
from .uncompressed import Frames

_MAGIC = b"fLaC"
_STREAMINFO_BYTES = 42
_FRAME_HEADER_BYTES = 16
_BLOCK_BYTES = 1 << 20
_TYPES = {16: "int16", 24: "int32"}  # bits of a sample → as what they are read
MAX_FRAME_BYTES = 1 << 16  # longer ones go to ffmpeg
MAX_SAMPLES = 1 << 28  # of all channels, held at once


def read_whole_flac(file: BinaryIO) -> Frames | None:
    """Return [samples, channels] float32 and their rate; None if it cannot be shown to be all.

    Args:
        file: at its beginning; it is at any place afterwards.
    """
    info = file.read(_STREAMINFO_BYTES)
    if not info.startswith(_MAGIC) or len(info) < _STREAMINFO_BYTES:
        return None
    # The last 36 bits of the first 18 bytes of STREAMINFO: the number of samples.
    stated = int.from_bytes(info[21:26], "big") & (1 << 36) - 1
    if not 0 < stated <= MAX_SAMPLES or _begins_again(file):
        return None
    if not _ends_with_sample(file, stated, info[8:42]):
        return None
    file.seek(0)
    bits = ((info[20] & 1) << 4 | info[21] >> 4) + 1
    if bits not in _TYPES:
        return None
    try:
        frames, rate = soundfile.read(file, dtype=_TYPES[bits], always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError):
        return None
    if len(frames) != stated or _checksum(frames) != info[26:42]:
        return None
    return scale_array(frames), rate


def _checksum(frames: NDArray[Any]) -> bytes:
    """Return the MD5 of samples as FLAC has it: whole bytes each, the lowest first."""
    found = hashlib.md5(usedforsecurity=False)
    for first in range(0, len(frames), _BLOCK_BYTES):
        block = np.ascontiguousarray(frames[first : first + _BLOCK_BYTES])
        if block.dtype == np.int32:  # 24 bits, the upper ones
            block = block.astype("<i4")[..., None].view(np.uint8)[..., 1:]
        found.update(block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes())
    return found.digest()


def _begins_again(file: BinaryIO) -> bool:
    """Return whether a second FLAC may begin in what is left of a file."""
    if isinstance(file, io.BytesIO):
        return file.getvalue().find(_MAGIC, _STREAMINFO_BYTES) >= 0
    tail = b""
    while data := file.read(_BLOCK_BYTES):
        if _MAGIC in tail + data:
            return True
        tail = data[-len(_MAGIC) + 1 :]
    return False


def _ends_with_sample(file: BinaryIO, stated: int, info: bytes) -> bool:
    """Return whether the last frame ends with a sample's number, and the file with that frame.

    Args:
        file: at any place.
        stated: the number, counted from 1.
        info: STREAMINFO without its header.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - MAX_FRAME_BYTES, 0))
    tail = file.read()
    longest = int.from_bytes(info[2:4], "big")
    place = len(tail)
    while (place := tail.rfind(b"\xff", 0, place)) >= 0:
        end = _end_of_frame(tail[place : place + _FRAME_HEADER_BYTES], longest)
        if end is not None:
            return end == stated and _remainder(tail[place:], *_CRC16) == 0
    return False


def _end_of_frame(header: bytes, longest: int) -> int | None:
    """Return the number of the last sample of a frame, from 1; None if it is no frame's header.

    Args:
        header: the frame's first bytes.
        longest: the block size of a stream whose blocks are alike.
    """
    if len(header) < 6 or header[1] & 0xFE != 0xF8:
        return None
    is_variable, code = header[1] & 1, header[2] >> 4
    number_bytes = max(8 - (header[4] ^ 0xFF).bit_length(), 1)
    number = header[4] & (0x7F if number_bytes == 1 else 0xFF >> (number_bytes + 1))
    for byte in header[5 : 4 + number_bytes]:
        number = number << 6 | byte & 0x3F
    place = 4 + number_bytes
    if code in (6, 7):
        samples = int.from_bytes(header[place : place + code - 5], "big") + 1
        place += code - 5
    elif code:
        samples = 192 if code == 1 else 576 << (code - 2) if code < 6 else 256 << (code - 8)
    else:
        return None
    place += {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if _remainder(header[: place + 1], *_CRC8):
        return None
    return number + samples if is_variable else number * longest + samples


def _remainder(data: bytes, bits: int, table: list[int]) -> int:
    """Return a cyclic remainder of some bytes; 0 where their own stands behind them."""
    value, mask = 0, (1 << bits) - 1
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> (bits - 8) ^ byte]
    return value


def _table(bits: int, polynomial: int) -> list[int]:
    """Return the remainders of single bytes."""
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> (bits - 1) else 0)
        table.append(value)
    return table


_CRC8 = (8, _table(8, 0x107))
_CRC16 = (16, _table(16, 0x18005))
