"""Live 16-bit PCM in pieces of any size, with the WAV header that some clients leave in front."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_MAX_HEADER = 1 << 16  # bytes in front of the samples
_PCM, _EXTENSIBLE = 1, 0xFFFE


class PcmError(ValueError):
    """The audio is not 16-bit PCM."""


@dataclass(frozen=True)
class _Header:
    """What a WAV header says."""

    sample_rate: int
    channels: int


class PcmReader:
    """Turns bytes into samples. Halves of samples wait for their other half.

    Args:
        sample_rate: of the samples, in Hz, unless a header says otherwise.

    Attributes:
        sample_rate: in Hz; right once a piece was returned.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._channels = 1
        self._begun = False  # it is known whether there is a header
        self._waiting = b""

    def read(self, data: bytes) -> NDArray[np.int16]:
        """Return the samples that are complete, [samples, channels].

        Raises:
            PcmError: a header that says another format than 16-bit PCM.
        """
        data, self._waiting = self._waiting + data, b""
        if not self._begun:
            if b"RIFF".startswith(data[:4]) and len(data) < 4:
                self._waiting = data
                data = b""
            elif data.startswith(b"RIFF"):
                first = self._read_header(data)
                if first is None:
                    self._waiting = data
                    data = b""
                else:
                    self._begun = True
                    data = data[first:]
            else:
                self._begun = True
        size = 2 * self._channels
        whole = len(data) // size * size
        self._waiting = self._waiting or data[whole:]
        samples = np.frombuffer(data[:whole], "<i2").astype(np.int16)
        return samples.reshape(-1, self._channels)

    def _read_header(self, data: bytes) -> int | None:
        """Return where the samples begin; None if that is not known yet.

        Raises:
            PcmError: as `read`.
        """
        position, header = 12, None
        while position + 8 <= len(data):
            name, size = data[position : position + 4], _u32(data, position + 4)
            body = position + 8
            if name == b"data":
                if header is None:
                    raise PcmError("expected a WAV header with `fmt ` before `data`; got none")
                self.sample_rate, self._channels = header.sample_rate, header.channels
                return body
            if name == b"fmt " and body + 16 <= len(data):
                header = _read_format(data[body : body + 16])
            position = body + size + size % 2
            if position > _MAX_HEADER:
                raise PcmError(f"expected samples within {_MAX_HEADER} bytes of the WAV header")
        return None


def _read_format(body: bytes) -> _Header:
    """Read a `fmt ` chunk."""
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body)
    if kind not in (_PCM, _EXTENSIBLE) or bits != 16 or not 1 <= channels <= 64:
        raise PcmError(
            f"expected 16-bit PCM; got a WAV header of format {kind} with {bits} bits and "
            f"{channels} channels (send other audio with another wav_format, such as wav)"
        )
    return _Header(rate, channels)


def _u32(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "little")
