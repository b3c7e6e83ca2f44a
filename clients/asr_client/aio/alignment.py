"""The alignment of one text with one recording: decoder, frames and times, in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from asr_contract import (
    ALIGNER_MODEL,
    SAMPLE_RATE,
    SENSEVOICE_ALIGNMENT_MODEL,
    SENSEVOICE_FRAMES_MODEL,
)

from ..alignment.choice import ALIGNMENT_MODELS, is_chinese
from ..alignment.omissions import settle_omissions
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
from ..errors import AudioError, ModelNotFound, OptionError, located
from ..options import checked_language
from ..transport import Transport, has_model
from .aligning_phrases import KeptRecording, PhraseAligner

_IN_FLIGHT = 4  # windows
_SENSEVOICE = (SENSEVOICE_FRAMES_MODEL, SENSEVOICE_ALIGNMENT_MODEL)
_HOW_TO_INSTALL = {
    **dict.fromkeys(
        _SENSEVOICE, "install SenseVoice with `triton-asr-server install sensevoice`, and serve it"
    ),
    ALIGNER_MODEL: "install it with `triton-asr-server install aligner --from fa-zh`, and serve it",
}


@dataclass(frozen=True)
class AlignmentOptions:
    """What is asked, in the words of `Client.align`."""

    language: str = "auto"
    channels: Channels = "mix"
    file_name: str | None = None
    owner: str = ""
    model: str = "auto"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            OptionError: one makes no sense.
        """
        checked_language(self.language)
        if self.model not in ALIGNMENT_MODELS:
            raise OptionError(
                f"model: expected one of {', '.join(ALIGNMENT_MODELS)}; got {self.model!r}"
            )
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
        words = [unit.text for sentence in sentences for unit in sentence.words]
        models = await self._choose(words, options)
        recording = _Recording(audio, sample_rate, options)
        with ExitStack() as stack:
            kept = stack.enter_context(KeptRecording()) if ALIGNER_MODEL in models else None
            placed = None
            if SENSEVOICE_ALIGNMENT_MODEL in models:
                figures = any(char.isdigit() for char in text)
                found = await self._by_frames(recording, words, figures, options.language, kept)
                placed = settle_omissions(words, _begins(sentences), found)
            if kept is not None:
                placed = await self._by_phrases(recording, words, placed, kept)
            else:
                recording.warnings += _guesses(words, placed or [])
        return Alignment(
            aligned_sentences(sentences, placed or []),
            recording.duration_s,
            models[-1],
            recording.warnings,
        )

    async def _by_frames(
        self,
        recording: _Recording,
        words: Sequence[str],
        figures: bool,
        language: str,
        kept: KeptRecording | None,
    ) -> list[PlacedWord]:
        """Place words by SenseVoice, window by window; the audio is kept for who needs it again."""
        meter, cutter = LevelMeter(), WindowCutter()
        frames: list[asyncio.Task[FrameCandidates]] = []
        slots = asyncio.Semaphore(_IN_FLIGHT)

        async def submit(window: Window) -> None:
            await slots.acquire()
            for task in frames:
                if task.done():
                    task.result()  # what failed need not go on
            start_s = len(frames) * KEPT_S
            task = asyncio.create_task(self._frames(window, start_s, figures, language))
            task.add_done_callback(lambda _: slots.release())
            frames.append(task)

        try:
            async with aclosing(recording.blocks()) as blocks:
                async for block in blocks:
                    meter.accept(block)
                    if kept is not None:
                        kept.accept(block)
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
        return parse_alignment(request.model_name, len(words), outputs)

    async def _by_phrases(
        self,
        recording: _Recording,
        words: Sequence[str],
        placed: Sequence[PlacedWord] | None,
        kept: KeptRecording,
    ) -> list[PlacedWord]:
        """Place words by `fa-zh`: where they are about known phrase by phrase, else all at once."""
        aligner = PhraseAligner(self._transport, self._timeout_s)
        if placed is not None:
            return await aligner.refine(words, placed, kept)
        async with aclosing(recording.blocks()) as blocks:
            async for block in blocks:
                kept.accept(block)
        return await aligner.align(words, kept)

    async def _choose(self, words: Sequence[str], options: AlignmentOptions) -> list[str]:
        """Return the models to ask, the one that has the last word at the end.

        Raises:
            ModelNotFound: one is missing; said before anything is decoded.
        """
        if options.model == "fa-zh":
            await self._need(ALIGNER_MODEL)
            return [ALIGNER_MODEL]
        is_for_aligner = options.model == "auto" and is_chinese(words, options.language)
        if is_for_aligner and await self._is_ready(ALIGNER_MODEL):
            ready = [await self._is_ready(name) for name in _SENSEVOICE]
            return [*_SENSEVOICE, ALIGNER_MODEL] if all(ready) else [ALIGNER_MODEL]
        for name in _SENSEVOICE:
            await self._need(name)
        return [*_SENSEVOICE]

    async def _need(self, name: str) -> None:
        if not await self._is_ready(name):
            raise ModelNotFound(
                f"{self._url}: alignment needs the model {name!r}, which this server does not "
                f"have ready; {_HOW_TO_INSTALL[name]}"
            )

    async def _is_ready(self, name: str) -> bool:
        return await has_model(self._transport, self._url, name, self._timeout_s)

    async def _frames(
        self, window: Window, start_s: float, figures: bool, language: str
    ) -> FrameCandidates:
        request = frames_request(window, language=language, figures=figures)
        with located(f"{start_s:g} s into the recording"):
            return parse_frames(window, await self._transport.infer(request, self._timeout_s))


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


def _begins(sentences: Sequence[TextSentence]) -> set[int]:
    """Return the numbers of the words that begin a sentence."""
    return set(accumulate((len(sentence.words) for sentence in sentences), initial=0))


def _guesses(words: Sequence[str], placed: Sequence[PlacedWord]) -> list[str]:
    """Return a warning of words that the recogniser cannot look for; none without such."""
    unknown = [word for word, place in zip(words, placed, strict=True) if place.confidence is None]
    if not unknown:
        return []
    return [
        f"the model's vocabulary cannot write {len(unknown)} of {len(words)} words, such as "
        f"{unknown[0][:40]!r}: their times are guesses"
    ]


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
