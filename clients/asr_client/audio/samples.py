"""Uncompressed samples: what each format's bytes mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError

MAX_CHANNELS = 1024

# Value of one full-scale step for the integer arrays that have an obvious full scale.
_INTEGER_FULL_SCALE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}

# Name of a raw sample format → (NumPy's type, bytes per sample); G.711 is looked up in a table.
_SAMPLE_TYPES = {
    "u8": ("u1", 1),
    "s8": ("i1", 1),
    "s16le": ("<i2", 2),
    "s16be": (">i2", 2),
    "s24le": ("<i4", 3),
    "s24be": (">i4", 3),
    "s32le": ("<i4", 4),
    "s32be": (">i4", 4),
    "f32le": ("<f4", 4),
    "f32be": (">f4", 4),
    "f64le": ("<f8", 8),
    "f64be": (">f8", 8),
    "mulaw": ("u1", 1),
    "alaw": ("u1", 1),
}
SAMPLE_FORMATS = tuple(_SAMPLE_TYPES)


def integer_name(size: int, end: str, *, unsigned_bytes: bool = False) -> str:
    """Return the name of integers of `size` bytes; "" if there is none.

    Args:
        size: of a sample, in bytes.
        end: "le" or "be".
        unsigned_bytes: a single byte has its zero at 128.
    """
    if size == 1:
        return "u8" if unsigned_bytes else "s8"
    return f"s{8 * size}{end}" if size in (2, 3, 4) else ""


def float_name(size: int, end: str) -> str:
    """Return the name of floats of `size` bytes; "" if there is none."""
    return f"f{8 * size}{end}" if size in (4, 8) else ""


@dataclass(frozen=True)
class PcmFormat:
    """How samples are stored.

    Attributes:
        sample_format: one of `SAMPLE_FORMATS`, named as ffmpeg names them.
        sample_rate: in Hz.
        channels: number of interleaved channels.
    """

    sample_format: str
    sample_rate: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return _SAMPLE_TYPES[self.sample_format][1] * self.channels

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Return whole frames as [samples, channels] float32, full scale at 1.0."""
        kind, size = _SAMPLE_TYPES[self.sample_format]
        if self.sample_format in _G711:
            samples = _G711[self.sample_format][np.frombuffer(data, np.uint8)]
        elif size == 3:
            samples = scale_array(_widened(data, big_endian=kind.startswith(">")))
        else:
            samples = scale_array(np.frombuffer(data, kind))
        return samples.reshape(-1, self.channels)


def scale_array(array: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale an array of samples to float32 with full scale at 1.0; the shape stays.

    Raises:
        AudioError: a dtype without an obvious full scale.
    """
    if array.dtype.kind == "f":
        # What overflows becomes infinite, and that is refused later.
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - np.float32(128)) / np.float32(128)
    full_scale = _INTEGER_FULL_SCALE.get(array.dtype.name)
    if full_scale is None:
        raise AudioError(
            f"expected samples as float, int8, int16, int32 or uint8; got {array.dtype}"
        )
    # A power of two: the product is exact in float32 wherever the integer is.
    scaled = array.astype(np.float32)
    scaled *= np.float32(1 / full_scale)
    return scaled


def _widened(data: bytes, *, big_endian: bool) -> NDArray[np.int32]:
    """Return samples of three bytes as int32, their lowest byte zero."""
    triples = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(triples), 4), np.uint8)
    wide[:, 1:] = triples[:, ::-1] if big_endian else triples
    return wide.reshape(-1).view("<i4")


def _mulaw_table() -> NDArray[np.float32]:
    """Return the values of µ-law's codes (ITU-T G.711, table 2a)."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = ((mantissa * 8 + 132) << exponent.astype(np.int32)) - 132
    return np.where(code & 128, -magnitude, magnitude).astype(np.float32) / np.float32(2**15)


def _alaw_table() -> NDArray[np.float32]:
    """Return the values of A-law's codes (ITU-T G.711, table 1a)."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    linear = mantissa * 16 + 8
    magnitude = np.where(exponent == 0, linear, (linear + 256) << np.maximum(exponent - 1, 0))
    return np.where(code & 128, magnitude, -magnitude).astype(np.float32) / np.float32(2**15)


_G711 = {"mulaw": _mulaw_table(), "alaw": _alaw_table()}
