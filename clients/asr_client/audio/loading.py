"""Loads a whole recording from whatever holds it.

What libsndfile reads (wav, flac, ogg, mp3, aiff, …) is read with it, all else (m4a, mp4, webm,
mkv, wma, amr, …) is decoded by ffmpeg. Long recordings are not loaded but decoded block by block:
`media.MediaDecoder`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import AudioError
from .media import decode_whole, decode_whole_async
from .waveform import AudioInput, UnknownFormat, Waveform, read_audio


def load_audio(audio: AudioInput, sample_rate: int | None = None) -> Waveform:
    """Return the audio as [samples] float32, 16 kHz, mono, in [-1, 1].

    Args:
        audio: a path, the bytes of a file, a binary file object (audio or video in any format
            that libsndfile or ffmpeg reads), an array, or `Pcm`. An array has the shape
            [samples] or [samples, channels] (soundfile's order); float arrays are in [-1, 1],
            int8, int16 and int32 are scaled by their full scale, uint8 has its zero at 128.
        sample_rate: of an array, in Hz; it is required there. Files and `Pcm` bring their own.

    Raises:
        AudioError: it cannot be read, is empty, holds NaN or infinity, is no audio, or needs an
            ffmpeg and there is none.
    """
    try:
        return read_audio(audio, sample_rate)
    except UnknownFormat as error:
        source = error.source
    _check_no_rate(sample_rate)
    return decode_whole(source)


async def load_audio_async(audio: AudioInput, sample_rate: int | None = None) -> Waveform:
    """As `load_audio`, without holding up the event loop; cancelling it stops ffmpeg."""
    try:
        return await asyncio.to_thread(read_audio, audio, sample_rate)
    except UnknownFormat as error:
        source = error.source
    _check_no_rate(sample_rate)
    return await decode_whole_async(source)


def load_recordings(audios: Sequence[AudioInput], sample_rate: int | None) -> list[Waveform]:
    """Return several recordings as `load_audio` does; an error says which of them it means."""
    waveforms = []
    for index, audio in enumerate(audios):
        with _numbered(index, len(audios)):
            waveforms.append(load_audio(audio, sample_rate))
    return waveforms


async def load_recordings_async(
    audios: Sequence[AudioInput], sample_rate: int | None
) -> list[Waveform]:
    """As `load_recordings`, without holding up the event loop."""
    waveforms = []
    for index, audio in enumerate(audios):
        with _numbered(index, len(audios)):
            waveforms.append(await load_audio_async(audio, sample_rate))
    return waveforms


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
