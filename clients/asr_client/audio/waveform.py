"""Turns whatever holds audio into what the models take: 16 kHz, mono, float32 in [-1, 1]."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias, Union

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

from ..errors import AudioError
from .sources import regular_file

RESAMPLING_QUALITY = "HQ"  # soxr's default: errors below what 16 bits can hold

# Outside this range a "sample rate" is a mistake (a duration, a channel count, kHz for Hz).
MIN_SAMPLE_RATE = 1_000
MAX_SAMPLE_RATE = 768_000

# Decoded mp3 or ogg may overshoot 1.0 a little. Beyond this the numbers are integers that were
# cast to float without being scaled, and recognising them would give nonsense silently.
MAX_FLOAT_PEAK = 16.0

# Value of one full-scale step for the integer arrays that have an obvious full scale.
_INTEGER_FULL_SCALE = {"int8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31}

# Name of a raw sample format → (libsndfile subtype, byte order, bytes per sample).
_PCM_FORMATS = {
    "u8": ("PCM_U8", "FILE", 1),
    "s8": ("PCM_S8", "FILE", 1),
    "s16le": ("PCM_16", "LITTLE", 2),
    "s16be": ("PCM_16", "BIG", 2),
    "s24le": ("PCM_24", "LITTLE", 3),
    "s24be": ("PCM_24", "BIG", 3),
    "s32le": ("PCM_32", "LITTLE", 4),
    "s32be": ("PCM_32", "BIG", 4),
    "f32le": ("FLOAT", "LITTLE", 4),
    "f32be": ("FLOAT", "BIG", 4),
    "f64le": ("DOUBLE", "LITTLE", 8),
    "f64be": ("DOUBLE", "BIG", 8),
    "mulaw": ("ULAW", "FILE", 1),
    "alaw": ("ALAW", "FILE", 1),
}
PCM_FORMATS = tuple(_PCM_FORMATS)

Waveform: TypeAlias = NDArray[np.float32]  # [samples], 16 kHz, [-1, 1]


@dataclass(frozen=True)
class Pcm:
    """Raw samples without a header, so everything a header would say is said here.

    Attributes:
        data: the samples, interleaved by channel, or the path of a file that holds them.
        sample_rate: in Hz.
        sample_format: one of `PCM_FORMATS`, named as ffmpeg names them.
        channels: number of interleaved channels.
    """

    data: bytes | bytearray | memoryview | str | os.PathLike[str]
    sample_rate: int
    sample_format: str = "s16le"
    channels: int = 1


AudioInput: TypeAlias = Union[
    str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO, NDArray[Any], Pcm
]


class UnknownFormat(AudioError):
    """libsndfile cannot read a file; `source`, the path or all its bytes, is for ffmpeg to try."""

    def __init__(self, message: str, source: str | os.PathLike[str] | bytes) -> None:
        super().__init__(message)
        self.source = source


def read_audio(audio: AudioInput, sample_rate: int | None = None) -> Waveform:
    """Return audio that needs no ffmpeg; arguments and errors as `asr_client.audio.load_audio`.

    Raises:
        UnknownFormat: it is a file that libsndfile cannot read.
    """
    if isinstance(audio, Pcm):
        frames, rate = _decode_pcm(audio)
    elif isinstance(audio, (str, os.PathLike)):
        frames, rate = _decode_path(audio)
    elif isinstance(audio, (bytes, bytearray, memoryview)):
        frames, rate = _decode_bytes(bytes(audio))
    elif hasattr(audio, "read"):
        frames, rate = _decode_bytes(_read_all(audio))
    elif hasattr(audio, "__array__"):
        if sample_rate is None:
            raise AudioError("an array needs sample_rate=… in Hz; got None")
        array = np.asarray(audio)
        if array.ndim == 2 and 0 < array.shape[0] < array.shape[1]:
            raise AudioError(
                f"expected shape [samples, channels]; got {array.shape}, which looks transposed"
            )
        return to_waveform(scale_array(array), sample_rate)
    else:
        raise AudioError(
            "expected a path, bytes, a binary file object, an array or Pcm; "
            f"got {type(audio).__name__}"
        )
    if sample_rate is not None and sample_rate != rate:
        raise AudioError(
            f"the audio itself says {rate} Hz; got sample_rate={sample_rate} (leave it out: "
            "only arrays need it)"
        )
    return to_waveform(frames, rate)


def scale_array(array: NDArray[Any]) -> NDArray[np.float32]:
    """Scale an array of samples to float32 with full scale at 1.0; the shape stays.

    Raises:
        AudioError: a dtype without an obvious full scale.
    """
    if array.dtype.kind == "f":
        # What overflows becomes infinite, and that is refused later.
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128.0) / 128.0
    full_scale = _INTEGER_FULL_SCALE.get(array.dtype.name)
    if full_scale is None:
        raise AudioError(
            f"expected samples as float, int8, int16, int32 or uint8; got {array.dtype}"
        )
    return (array / full_scale).astype(np.float32)


def to_waveform(frames: NDArray[np.float32], sample_rate: int) -> Waveform:
    """Mix [samples] or [samples, channels] down to mono and resample to 16 kHz.

    Raises:
        AudioError: wrong shape, no samples, NaN or infinity, unscaled numbers, odd rate.
    """
    rate = checked_rate(sample_rate)
    if frames.size == 0:
        raise AudioError("the audio is empty: expected at least one sample; got none")
    mono = mix_down(frames)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality=RESAMPLING_QUALITY)
        if mono.size == 0:
            raise AudioError(f"{len(frames)} samples at {rate} Hz are less than one at 16 kHz")
    return np.ascontiguousarray(mono, dtype=np.float32)


def mix_down(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix [samples] or [samples, channels] down to mono, and check what the numbers are.

    Raises:
        AudioError: wrong shape, NaN or infinity, unscaled numbers.
    """
    if frames.ndim not in (1, 2):
        raise AudioError(f"expected shape [samples] or [samples, channels]; got {frames.shape}")
    if frames.size == 0:
        return np.zeros(0, np.float32)
    if not np.isfinite(frames).all():
        bad = int(np.count_nonzero(~np.isfinite(frames)))
        raise AudioError(f"expected finite samples; got {bad} NaN or infinite of {frames.size}")
    peak = float(np.abs(frames).max())
    if peak > MAX_FLOAT_PEAK:
        raise AudioError(
            f"expected float samples in [-1, 1]; got a peak of {peak:g} (integers cast to float? "
            "pass them as int16 or int32, or divide by their full scale)"
        )
    return frames if frames.ndim == 1 else frames.mean(axis=1, dtype=np.float32)


def checked_rate(sample_rate: int) -> int:
    """Return the sample rate as an int, or raise AudioError."""
    expected = f"sample_rate: expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz"
    try:
        rate = int(sample_rate)
        whole = not isinstance(sample_rate, bool) and rate == sample_rate
    except (TypeError, ValueError, OverflowError):
        raise AudioError(f"{expected}; got {sample_rate!r}") from None
    if not whole or not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise AudioError(f"{expected}; got {sample_rate!r}")
    return rate


def _decode_path(path: str | os.PathLike[str]) -> tuple[NDArray[np.float32], int]:
    """Decode the file at a path; see `_decode_file`."""
    try:
        with regular_file(path).open("rb") as file:
            return _decode_file(file, path)
    except OSError as error:
        raise AudioError(f"{os.fspath(path)}: {error.strerror or error}") from error


def _decode_bytes(data: bytes) -> tuple[NDArray[np.float32], int]:
    """Decode the bytes of a file; see `_decode_file`."""
    if not data:
        raise AudioError("0 bytes: the file is empty")
    return _decode_file(io.BytesIO(data), data)


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


def _decode_file(
    file: BinaryIO, source: str | os.PathLike[str] | bytes
) -> tuple[NDArray[np.float32], int]:
    """Decode a binary file object to ([samples, channels] float32, sample rate in Hz)."""
    try:
        frames, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        raise UnknownFormat(f"libsndfile: {error}", source) from error
    return frames, rate


def _decode_pcm(pcm: Pcm) -> tuple[NDArray[np.float32], int]:
    """Decode raw samples to ([samples, channels] float32, sample rate in Hz)."""
    if pcm.sample_format not in _PCM_FORMATS:
        raise AudioError(
            f"sample_format: expected one of {', '.join(PCM_FORMATS)}; got {pcm.sample_format!r}"
        )
    if not isinstance(pcm.channels, int) or not 1 <= pcm.channels <= 1024:
        raise AudioError(f"channels: expected 1 to 1024; got {pcm.channels!r}")
    rate = checked_rate(pcm.sample_rate)
    if isinstance(pcm.data, (bytes, bytearray, memoryview)):
        data = bytes(pcm.data)
    else:
        try:
            with open(pcm.data, "rb") as file:
                data = file.read()
        except OSError as error:
            raise AudioError(f"{os.fspath(pcm.data)}: {error.strerror or error}") from error
    subtype, endian, sample_bytes = _PCM_FORMATS[pcm.sample_format]
    frame_bytes = sample_bytes * pcm.channels
    if len(data) % frame_bytes:
        raise AudioError(
            f"expected whole frames of {frame_bytes} bytes ({pcm.channels} × {pcm.sample_format}); "
            f"got {len(data)} bytes"
        )
    if not data:
        raise AudioError("the audio is empty: expected at least one sample; got none")
    frames, _ = soundfile.read(
        io.BytesIO(data),
        dtype="float32",
        always_2d=True,
        samplerate=rate,
        channels=pcm.channels,
        format="RAW",
        subtype=subtype,
        endian=endian,
    )
    return frames, rate
