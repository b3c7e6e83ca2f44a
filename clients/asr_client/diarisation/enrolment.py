"""Learns known voices from their recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import numpy as np
from numpy.typing import NDArray

from ..audio import MediaDecoder, MediaSource, Pcm
from ..errors import AudioError, OptionError, located
from ..files.options import FileOptions
from ..files.pieces import pieces_of
from ..files.segments import SegmentCutter
from ..files.speech_detection import SpeechDetector
from ..known_speakers import KnownSpeakers
from ..transport import Transport
from .finder import KnownVoices
from .vectors import of_length_one
from .voices import embed_windows
from .windows import Window, windows_of

SHORTEST_SPEECH_S = 2.0
LONGEST_RECORDING_S = 300.0
_AT_A_TIME = 4


async def enrol(
    transport: Transport, url: str, known: KnownSpeakers, timeout_s: float
) -> KnownVoices:
    """Return known voices: asked of the server at the first time, then kept with `known`.

    Raises:
        OptionError: a recording cannot be read, or has too little speech.
        AsrError: the others of `errors`.
    """
    if url not in known.voices:
        turn = asyncio.Semaphore(_AT_A_TIME)

        async def learn(name: str, recordings: Sequence[MediaSource | Pcm]) -> NDArray[np.float32]:
            async with turn:
                with located(f"known speakers: {name!r}"):
                    try:
                        return await _voice(transport, recordings, timeout_s)
                    except AudioError as error:
                        raise OptionError(str(error)) from error

        known.voices[url] = np.stack(
            await asyncio.gather(*(learn(*each) for each in known.recordings.items()))
        )
    return KnownVoices(known.names, known.voices[url], known.threshold)


async def _voice(
    transport: Transport, recordings: Sequence[MediaSource | Pcm], timeout_s: float
) -> NDArray[np.float32]:
    """Return the voice of a speaker, [D] of length one: the mean of the windows over the speech."""
    sums = []
    for recording in recordings:  # one by one: all of their sound at a time might be much
        windows = await _windows(transport, recording, timeout_s)
        sums.append((await embed_windows(transport, windows, timeout_s)).sum(axis=0))
    return of_length_one(np.sum(sums, axis=0))


async def _windows(
    transport: Transport, recording: MediaSource | Pcm, timeout_s: float
) -> list[Window]:
    """Return the windows over the speech of a recording.

    Raises:
        AudioError: it cannot be read, is too long, or has too little speech.
        AsrError: the others of `errors`.
    """
    options, windows = FileOptions(), list[Window]()
    cutter = SegmentCutter(options.max_segment_ms, options.history_ms)
    async with (
        MediaDecoder(recording) as media,
        SpeechDetector(transport, options.vad_parameters, timeout_s) as detector,
        aclosing(pieces_of(media)) as pieces,
    ):
        async for piece, is_last in pieces:
            rows = await detector.accept(piece, is_last=is_last)
            for segment in cutter.accept(piece, rows):
                windows += windows_of(segment)
            if media.decoded_s > LONGEST_RECORDING_S:
                raise AudioError(
                    f"{media.name}: expected at most {LONGEST_RECORDING_S:g} s; got more"
                )
    speech_s = sum(window.end_ms - window.start_ms for window in windows) / 1000
    if speech_s < SHORTEST_SPEECH_S:
        raise AudioError(
            f"{media.name}: expected at least {SHORTEST_SPEECH_S:g} s of speech; got "
            f"{speech_s:.1f} s"
        )
    return windows
