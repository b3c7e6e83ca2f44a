"""Times of words by `fa-zh`: a recording that is kept, and its phrases one by one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence

import numpy as np

from asr_contract import SAMPLE_RATE

from ..alignment.phrases import Phrase, cut_into_phrases, put_together
from ..alignment.requests import PlacedWord, aligner_request, parse_aligner
from ..audio.waveform import Waveform
from ..errors import RequestRejected, located
from ..storage import storing
from ..transport import Transport

_IN_FLIGHT = 4  # phrases
_IN_MEMORY_BYTES = 16 << 20  # four minutes; what is longer lies in a temporary file
_SAMPLE_BYTES = 4


class KeptRecording:
    """A recording that is read once as it is decoded, and again where its words are.

    Used by `with`: its file is gone at the end.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
        self._samples = 0

    def __enter__(self) -> KeptRecording:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def accept(self, waveform: Waveform) -> None:
        """Keep the next [samples] float32.

        Raises:
            StorageFull: there is no room for it.
        """
        with storing("the recording"):
            self._file.write(waveform.astype(np.float32, copy=False).tobytes())
        self._samples += len(waveform)

    @property
    def duration_ms(self) -> int:
        """How long it is."""
        return self._samples * 1000 // SAMPLE_RATE

    def cut(self, start_ms: int = 0, end_ms: int | None = None) -> Waveform:
        """Return [samples] float32 from one time to another; to the end where there is none."""
        first = start_ms * SAMPLE_RATE // 1000
        last = self._samples if end_ms is None else end_ms * SAMPLE_RATE // 1000
        self._file.seek(first * _SAMPLE_BYTES)
        return np.frombuffer(self._file.read((last - first) * _SAMPLE_BYTES), np.float32)


class PhraseAligner:
    """Asks `fa-zh` of one server.

    Args:
        transport: to the server.
        timeout_s: of a request.
    """

    def __init__(self, transport: Transport, timeout_s: float) -> None:
        self._transport = transport
        self._timeout_s = timeout_s

    async def align(self, words: Sequence[str], recording: KeptRecording) -> list[PlacedWord]:
        """Place all words of a text in all of a recording; how surely they are there is not known.

        Raises:
            RequestRejected: it is too long for the model.
        """
        try:
            times = await self._ask(words, recording.cut())
        except RequestRejected as error:
            if "max_audio_seconds" not in str(error):
                raise
            message = f"{error}; with the model 'auto', a server that has SenseVoice too does so"
            raise RequestRejected(message, server_message=error.server_message) from error
        return [PlacedWord(start_ms, end_ms, None) for start_ms, end_ms in times]

    async def refine(
        self, words: Sequence[str], placed: Sequence[PlacedWord], recording: KeptRecording
    ) -> list[PlacedWord]:
        """Place the words that are heard, phrase by phrase, anew; others keep out of their way.

        Args:
            words: of the text.
            placed: where they are about, and whether they are heard.
            recording: all of it.
        """
        phrases = await asyncio.to_thread(cut_into_phrases, placed, recording.duration_ms)
        slots = asyncio.Semaphore(_IN_FLIGHT)

        async def ask(phrase: Phrase) -> list[tuple[int, int]]:
            async with slots:
                waveform = recording.cut(phrase.start_ms, phrase.end_ms)
                with located(f"{phrase.start_ms / 1000:g} s into the recording"):
                    return await self._ask([words[index] for index in phrase.words], waveform)

        tasks = [asyncio.create_task(ask(phrase)) for phrase in phrases]
        try:
            times = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return put_together(placed, phrases, times)

    async def _ask(self, words: Sequence[str], waveform: Waveform) -> list[tuple[int, int]]:
        request = aligner_request(words, waveform)
        return parse_aligner(len(words), await self._transport.infer(request, self._timeout_s))
