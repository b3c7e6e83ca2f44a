"""Reads a file of uncompressed samples block by block."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError
from .containers import NotUncompressed, SampleStream
from .containers.stream import Samples
from .samples import PcmFormat
from .waveform import MIN_SAMPLE_RATE

_BLOCK_BYTES = 1 << 18

Frames = tuple[NDArray[np.float32], int]  # [samples, channels], Hz


class UncompressedFile:
    """The frames of one open file, in order.

    Args:
        file: at its beginning; whoever opened it closes it.
        raw: the format of a file without a header; None if it must have one.

    Attributes:
        duration_s: about how long it is, in seconds.
        warnings: what is missing; complete after the last frame.

    Raises:
        NotUncompressed: it is none.
    """

    def __init__(self, file: BinaryIO, raw: PcmFormat | None = None) -> None:
        self._file = file
        self._stream = SampleStream(raw)
        self._first: Samples = []
        self.warnings: list[str] = []
        data = b"_"
        while not self._first and data:
            data = file.read(_BLOCK_BYTES)
            self._first = self._stream.feed(data) if data else self._stream.finish()
        self._ended = not data
        form = self._first[0][0].format if self._first else raw
        if self._first and form is None:
            raise NotUncompressed("the samples are coded")
        self.sample_rate = None if form is None else form.sample_rate
        self.duration_s = 0.0
        if form is not None and form.sample_rate:
            size = _size(file)
            self.duration_s = max(size - 44, 0) / form.frame_bytes / form.sample_rate

    def frames(self) -> Iterator[Frames]:
        """Yield [samples, channels] float32 and their rate in Hz, some 100 kB at a time.

        Raises:
            AudioError: a part of it is coded; it cannot be read any more.
        """
        decoded_s = 0.0
        for form, samples in self._pieces():
            decoded_s += len(samples) // form.frame_bytes / max(form.sample_rate, 1)
            yield form.decode(samples), form.sample_rate
        missing_s = self._stream.missing_s()
        if missing_s > 0:
            self.warnings.append(cut_off_warning(decoded_s, decoded_s + missing_s))
        elif within := self._stream.ends_within:
            self.warnings.append(
                f"the file ends within a {within}, at {decoded_s:.1f} s: it may be cut off"
            )

    def _pieces(self) -> Iterator[tuple[PcmFormat, bytes]]:
        found = self._first
        while True:
            for header, samples in found:
                if header.format is None:
                    raise AudioError("expected uncompressed samples to the end; got a codec's")
                yield header.format, samples
            if self._ended:
                return
            data = self._file.read(_BLOCK_BYTES)
            self._ended = not data
            found = self._stream.feed(data) if data else self._stream.finish()


def check_own_rate(name: str, sample_rate: int) -> None:
    """Refuse the rate that a file says where hours would be made of a few bytes.

    Raises:
        AudioError: it is too low.
    """
    if sample_rate < MIN_SAMPLE_RATE:
        raise AudioError(
            f"{name}: expected a sample rate of {MIN_SAMPLE_RATE} Hz or more; got {sample_rate} Hz"
        )


def cut_off_warning(decoded_s: float, stated_s: float) -> str:
    """Return what is said of audio that ends before its time."""
    return (
        f"the audio ends at {decoded_s:.1f} s, but the file says that it lasts "
        f"{stated_s:.1f} s: it may be cut off"
    )


def _size(file: BinaryIO) -> int:
    """Return the size of a file, in bytes."""
    if isinstance(file, io.BytesIO):
        return file.getbuffer().nbytes
    return os.fstat(file.fileno()).st_size
