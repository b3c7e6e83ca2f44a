"""FLAC through libsndfile, where it can be shown to read all that is there.

It is the one codec that any decoder decodes to the same samples, so it need not go the way of
ffmpeg's process. libsndfile stops where a second file begins and gives what it finds of a file
that is cut off; both are noticed here, and left to ffmpeg.
"""

from __future__ import annotations

import io
from typing import BinaryIO

import soundfile

from .uncompressed import Frames

_MAGIC = b"fLaC"
_STREAMINFO_BYTES = 42
_BLOCK_BYTES = 1 << 20
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
    file.seek(0)
    try:
        frames, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError):
        return None
    return (frames, rate) if len(frames) == stated else None


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
