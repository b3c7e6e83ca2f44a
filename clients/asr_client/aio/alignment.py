"""The alignment of one text with one recording: decoder, frames and times, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from asr_contract import SAMPLE_RATE, SENSEVOICE_ALIGNMENT_MODEL, SENSEVOICE_FRAMES_MODEL

from ..alignment.requests import (
    FrameCandidates,
    PlacedWord,
    alignment_request,
    frames_request,
    parse_alignment,
    parse_frames,
)
from ..alignment.results import AlignedSentence, AlignedWord, Alignment
from ..alignment.texts import TextSentence, text_sentences
from ..alignment.windows import KEPT_S, LevelMeter, Window, WindowCutter
from ..audio import AudioInput, Channels, MediaDecoder
from ..audio.loading import load_recordings_async
from ..audio.waveform import Waveform
from ..errors import AsrError, AudioError, ModelNotFound, OptionError
from ..options import checked_language
from ..transport import Transport

_IN_FLIGHT = 4  # windows
_HOW_TO_INSTALL = "install SenseVoice with `triton-asr-server install sensevoice`, and serve it"


@dataclass(frozen=True)
class AlignmentOptions:
    """What is asked, in the words of `Client.align`."""

    language: str = "auto"
    channels: Channels = "mix"
    file_name: str | None = None
    owner: str = ""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            OptionError: one makes no sense.
        """
        checked_language(self.language)
        if self.channels == "each":
            raise OptionError("channels: expected mix or the number of one for a text; got each")


class Aligner:
    """Aligns texts on one server."""

    def __init__(self, transport: Transport, url: str, timeout_s: float) -> None:
        self._transport = transport
        self._url = url
        self._timeout_s = timeout_s

    async def align(
        self,
        audio: AudioInput,
        text: str,
        sample_rate: int | None,
        options: AlignmentOptions,
    ) -> Alignment:
        """Align a text with a recording; as `Client.align`."""
        sentences = await asyncio.to_thread(text_sentences, text)
        await self._check()
        words = [unit.text for sentence in sentences for unit in sentence.words]
        figures = any(char.isdigit() for char in text)
        recording = _Recording(audio, sample_rate, options)
        meter, cutter = LevelMeter(), WindowCutter()
        frames: list[asyncio.Task[FrameCandidates]] = []
        slots = asyncio.Semaphore(_IN_FLIGHT)

        async def submit(window: Window) -> None:
            await slots.acquire()
            for task in frames:
                if task.done():
                    task.result()  # what failed need not go on
            start_s = len(frames) * KEPT_S
            task = asyncio.create_task(self._frames(window, start_s, figures, options.language))
            task.add_done_callback(lambda _: slots.release())
            frames.append(task)

        try:
            async with aclosing(recording.blocks()) as blocks:
                async for block in blocks:
                    meter.accept(block)
                    for window in cutter.accept(block):
                        await submit(window)
            await submit(cutter.finish())
            candidates = await asyncio.gather(*frames)
        finally:
            for task in frames:
                task.cancel()
            await asyncio.gather(*frames, return_exceptions=True)
        request = alignment_request(words, candidates, meter.levels)
        outputs = await self._transport.infer(request, self._timeout_s)
        placed = parse_alignment(request.model_name, len(words), outputs)
        return Alignment(
            aligned_sentences(sentences, placed),
            recording.duration_s,
            request.model_name,
            recording.warnings,
        )

    async def _check(self) -> None:
        """Say before anything is decoded that a model is missing."""
        for name in (SENSEVOICE_FRAMES_MODEL, SENSEVOICE_ALIGNMENT_MODEL):
            try:
                ready = await self._transport.model_ready(name, self._timeout_s)
            except ModelNotFound:
                ready = False
            if not ready:
                raise ModelNotFound(
                    f"{self._url}: alignment needs the model {name!r}, which this server does not "
                    f"have ready; {_HOW_TO_INSTALL}"
                )

    async def _frames(
        self, window: Window, start_s: float, figures: bool, language: str
    ) -> FrameCandidates:
        request = frames_request(window, language=language, figures=figures)
        try:
            return parse_frames(window, await self._transport.infer(request, self._timeout_s))
        except AsrError as error:
            message = f"{start_s:g} s into the recording: {error}"
            raise type(error)(message, server_message=error.server_message) from error


class _Recording:
    """The audio of a recording, whatever it comes as."""

    def __init__(
        self, audio: AudioInput, sample_rate: int | None, options: AlignmentOptions
    ) -> None:
        self._audio = audio
        self._sample_rate = sample_rate
        self._options = options
        self.duration_s = 0.0
        self.warnings: list[str] = []

    async def blocks(self) -> AsyncGenerator[Waveform, None]:
        """Yield the audio, [samples] float32 at 16 kHz."""
        audio, options = self._audio, self._options
        if isinstance(audio, np.ndarray):
            loaded = await load_recordings_async([audio], self._sample_rate, options.channels)
            self.warnings += loaded[0].warnings
            self.duration_s = len(loaded[0].waveform) / SAMPLE_RATE
            yield loaded[0].waveform
            return
        if self._sample_rate is not None:
            raise AudioError(
                f"sample_rate: expected none for audio that says it itself; got {self._sample_rate}"
            )
        media = MediaDecoder(
            audio, channels=options.channels, file_name=options.file_name, owner=options.owner
        )
        async with media, aclosing(aiter(media)) as blocks:
            async for block in blocks:
                yield block
        self.warnings += media.warnings
        self.duration_s = media.decoded_s


def aligned_sentences(
    sentences: Sequence[TextSentence], placed: Sequence[PlacedWord]
) -> list[AlignedSentence]:
    """Return the sentences with the times of their words, given in order."""
    times = iter(placed)
    return [
        AlignedSentence(
            sentence.text,
            [
                AlignedWord(
                    unit.text, word.start_ms, word.end_ms, word.confidence, unit.start, unit.end
                )
                for unit in sentence.words
                for word in [next(times)]
            ],
        )
        for sentence in sentences
    ]
