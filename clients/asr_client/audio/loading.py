"""Loads a whole recording from whatever holds it.

Uncompressed files and arrays are read here, FLAC by libsndfile where that is shown to read all of
it, everything else is decoded by ffmpeg. What is in a file does not depend on the way: all go
through `conversion`. Long recordings are not loaded but decoded block by block:
`media.MediaDecoder`.
"""

from __future__ import annotations

import asyncio
import io
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ..errors import AudioError
from .containers import NotUncompressed
from .conversion import Channels, Converter
from .flac import read_whole_flac
from .media import MediaSource, decode_whole, decode_whole_async
from .raw import RawFormat, raw_format, raw_format_of_name
from .samples import scale_array
from .sources import regular_file
from .uncompressed import Frames, UncompressedFile
from .waveform import AudioInput, Pcm, Waveform


class AudioWarning(UserWarning):
    """A part of a recording is missing, or is not what it should be; the message says which."""


@dataclass(frozen=True)
class LoadedAudio:
    """A recording.

    Attributes:
        waveform: [samples] float32, 16 kHz.
        warnings: what is missing of it, such as that the file is cut off.
    """

    waveform: Waveform
    warnings: list[str] = field(default_factory=list)


class _NeedsFfmpeg(Exception):
    """A file is neither uncompressed nor a whole FLAC."""

    def __init__(self, source: MediaSource, raw: RawFormat | None) -> None:
        self.source = source
        self.raw = raw


def load_audio(audio: AudioInput, sample_rate: int | None = None) -> Waveform:
    """Return the audio as [samples] float32, 16 kHz, mono, in [-1, 1].

    Args:
        audio: a path, the bytes of a file, a binary file object (audio or video in any format
            that ffmpeg reads), an array, or `Pcm`. An array has the shape [samples] or
            [samples, channels] (soundfile's order); float arrays are in [-1, 1], int8, int16 and
            int32 are scaled by their full scale, uint8 has its zero at 128.
        sample_rate: of an array, in Hz; it is required there. Files and `Pcm` bring their own.

    Warns:
        AudioWarning: a part of it is missing.

    Raises:
        AudioError: it cannot be read, is empty, holds NaN or infinity, is no audio, or needs an
            ffmpeg and there is none.
    """
    loaded = load_recording(audio, sample_rate)
    for warning in loaded.warnings:
        warnings.warn(warning, AudioWarning, stacklevel=2)
    return loaded.waveform


def load_recording(
    audio: AudioInput, sample_rate: int | None = None, channels: Channels = "mix"
) -> LoadedAudio:
    """Load a recording with what is to be said of it; as `load_audio`.

    Args:
        audio: as there.
        sample_rate: as there.
        channels: "mix", or the number of one.
    """
    try:
        return _load_here(audio, sample_rate, channels)
    except _NeedsFfmpeg as needs:
        source, raw = needs.source, needs.raw
    _check_no_rate(sample_rate)
    return LoadedAudio(*decode_whole(source, channels=channels, raw=raw))


async def load_recording_async(
    audio: AudioInput, sample_rate: int | None = None, channels: Channels = "mix"
) -> LoadedAudio:
    """As `load_recording`, without holding up the event loop; cancelling it stops ffmpeg."""
    try:
        return await asyncio.to_thread(_load_here, audio, sample_rate, channels)
    except _NeedsFfmpeg as needs:
        source, raw = needs.source, needs.raw
    _check_no_rate(sample_rate)
    return LoadedAudio(*await decode_whole_async(source, channels=channels, raw=raw))


def load_recordings(
    audios: Sequence[AudioInput], sample_rate: int | None, channels: Channels
) -> list[LoadedAudio]:
    """Load several recordings as `load_recording` does; an error says which of them it means."""
    loaded = []
    for index, audio in enumerate(audios):
        with _numbered(index, len(audios)):
            loaded.append(load_recording(audio, sample_rate, channels))
    return loaded


async def load_recordings_async(
    audios: Sequence[AudioInput], sample_rate: int | None, channels: Channels
) -> list[LoadedAudio]:
    """As `load_recordings`, without holding up the event loop."""
    loaded = []
    for index, audio in enumerate(audios):
        with _numbered(index, len(audios)):
            loaded.append(await load_recording_async(audio, sample_rate, channels))
    return loaded


@contextmanager
def _numbered(index: int, count: int) -> Iterator[None]:
    """Say of an error which of several recordings it means."""
    try:
        yield
    except AudioError as error:
        if count == 1:
            raise
        raise AudioError(f"recording {index}: {error}") from error


def _check_no_rate(sample_rate: int | None) -> None:
    """Refuse the rate of a file that says it itself."""
    if sample_rate is not None:
        raise AudioError(
            f"a file says its sample rate itself; got sample_rate={sample_rate} (leave it out: "
            "only arrays need it)"
        )


def _load_here(audio: AudioInput, sample_rate: int | None, channels: Channels) -> LoadedAudio:
    """Load audio that needs no ffmpeg; as `load_recording`.

    Raises:
        _NeedsFfmpeg: it does.
    """
    if isinstance(audio, Pcm):
        return _load_pcm(audio, sample_rate, channels)
    if isinstance(audio, (str, os.PathLike)):
        name = os.fspath(audio)
        try:
            with regular_file(audio).open("rb") as file:
                return _load_file(file, audio, name, sample_rate, channels)
        except OSError as error:
            raise AudioError(f"{name}: {error.strerror or error}") from error
    if isinstance(audio, (bytes, bytearray, memoryview)):
        return _load_bytes(bytes(audio), "", sample_rate, channels)
    if hasattr(audio, "read"):
        return _load_bytes(_read_all(audio), _name_of(audio), sample_rate, channels)
    if hasattr(audio, "__array__"):
        return _load_array(np.asarray(audio), sample_rate, channels)
    raise AudioError(
        f"expected a path, bytes, a binary file object, an array or Pcm; got {type(audio).__name__}"
    )


def _load_bytes(data: bytes, name: str, sample_rate: int | None, channels: Channels) -> LoadedAudio:
    """Load the bytes of a file."""
    if not data:
        raise AudioError("0 bytes: the file is empty")
    return _load_file(io.BytesIO(data), data, name, sample_rate, channels)


def _load_file(
    file: BinaryIO, source: MediaSource, name: str, sample_rate: int | None, channels: Channels
) -> LoadedAudio:
    """Load an open file."""
    raw = raw_format_of_name(name, file.read(16))
    file.seek(0)
    try:
        opened = UncompressedFile(file, raw.pcm if raw is not None else None)
    except NotUncompressed:
        file.seek(0)
        whole = read_whole_flac(file)
        if whole is None:
            raise _NeedsFfmpeg(source, raw) from None
        _check_rate(sample_rate, whole[1])
        return _converted([whole], channels)
    if opened.sample_rate is not None:
        _check_rate(sample_rate, opened.sample_rate)
    loaded = _converted(opened.frames(), channels)
    return LoadedAudio(loaded.waveform, [*opened.warnings, *loaded.warnings])


def _load_pcm(pcm: Pcm, sample_rate: int | None, channels: Channels) -> LoadedAudio:
    """Load raw samples."""
    raw = raw_format(pcm)
    _check_rate(sample_rate, raw.sample_rate)
    data = pcm.data
    if raw.pcm is None:
        raise _NeedsFfmpeg(data, raw)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        try:
            with open(data, "rb") as file:
                data = file.read()
        except OSError as error:
            name = os.fsdecode(data)
            raise AudioError(f"{name}: {error.strerror or error}") from error
    frame_bytes = raw.pcm.frame_bytes
    if len(data) % frame_bytes:
        raise AudioError(
            f"expected whole frames of {frame_bytes} bytes ({pcm.channels} × {pcm.sample_format}); "
            f"got {len(data)} bytes"
        )
    return _converted([(raw.pcm.decode(bytes(data)), raw.sample_rate)], channels)


def _load_array(
    array: np.ndarray[Any, Any], sample_rate: int | None, channels: Channels
) -> LoadedAudio:
    """Load an array, [samples] or [samples, channels]."""
    if sample_rate is None:
        raise AudioError("an array needs sample_rate=… in Hz; got None")
    if array.ndim not in (1, 2):
        raise AudioError(f"expected shape [samples] or [samples, channels]; got {array.shape}")
    if array.ndim == 2 and 0 < array.shape[0] < array.shape[1]:
        raise AudioError(
            f"expected shape [samples, channels]; got {array.shape}, which looks transposed"
        )
    frames = scale_array(array)
    return _converted([(frames[:, None] if frames.ndim == 1 else frames, sample_rate)], channels)


def _converted(frames: Iterable[Frames], channels: Channels) -> LoadedAudio:
    """Convert all frames of a recording.

    Raises:
        AudioError: there are none, or they make no sense.
    """
    if channels == "each":
        raise AudioError("channels='each' needs transcribe_file; got one request")
    converter = Converter(channels)
    pieces: list[Waveform] = []
    samples, rate = 0, 0
    for piece, rate in frames:
        samples += len(piece)
        pieces += converter.accept(piece, rate)
    pieces += converter.finish()
    if not samples:
        raise AudioError("the audio is empty: expected at least one sample; got none")
    waveform = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    if not waveform.size:
        raise AudioError(f"{samples} samples at {rate} Hz are less than one at 16 kHz")
    return LoadedAudio(np.ascontiguousarray(waveform, np.float32), converter.warnings)


def _check_rate(sample_rate: int | None, own_rate: int) -> None:
    """Refuse a rate that contradicts the audio's own."""
    if sample_rate is not None and sample_rate != own_rate:
        raise AudioError(
            f"the audio itself says {own_rate} Hz; got sample_rate={sample_rate} (leave it out: "
            "only arrays need it)"
        )


def _read_all(file: Any) -> bytes:
    """Return what is left in a file object; it need not be seekable (a pipe or a socket)."""
    try:
        data = file.read()
    except OSError as error:
        raise AudioError(f"the file object: {error.strerror or error}") from error
    if not isinstance(data, bytes):
        raise AudioError(
            f"expected a file object opened in binary mode; its read() gave {type(data).__name__}"
        )
    return data


def _name_of(file: Any) -> str:
    """Return the name of the file behind a file object; "" if it has none."""
    name = getattr(file, "name", "")
    return name if isinstance(name, str) else ""
