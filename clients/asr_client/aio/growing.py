"""Decodes a stretch of speech again and again while it is spoken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import numpy as np

from asr_contract import SAMPLE_RATE, SAMPLES_PER_MS

from ..audio.waveform import Waveform
from ..errors import AsrError, ClientClosed
from ..files.sentences import join_texts, recognised_segment
from ..recognition import RecognitionOptions, RemoteRecogniser
from ..results import StreamUpdate, Word
from ..streaming.growing import GrowingText


class GrowingSpeech:
    """A session of one stretch of speech, by a model that takes whole recordings.

    As `AsyncStreamSession`, whose names it has: the final text is what `streaming.growing`
    commits, so a later decoding of the whole may still say something else. One decoding is under
    way at a time: a server that is busy gets fewer.

    Args:
        recogniser: of the server.
        options: as which the audio is decoded.
        timeout_s: for a decoding.
    """

    def __init__(
        self, recogniser: RemoteRecogniser, options: RecognitionOptions, timeout_s: float
    ) -> None:
        self._recogniser = recogniser
        self._options = options
        self._timeout_s = timeout_s
        self._text = GrowingText()
        self._audio: list[Waveform] = []  # from the window on
        self._first_ms = 0  # where that begins
        self._heard_samples = 0
        self._changed = asyncio.Event()
        self._is_ending = self._is_complete = False
        self._failure: BaseException | None = None
        self._work: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin."""
        self._work = asyncio.create_task(self._decode_while_it_grows())

    async def send(self, waveform: Waveform) -> None:
        """Take audio in, [samples] float32 at 16 kHz."""
        self._audio.append(waveform)
        self._heard_samples += waveform.size
        self._notify()

    async def finish(self) -> None:
        """Decode what is left, and commit all.

        Raises:
            AsrError: of `errors`; also what an earlier decoding failed with.
        """
        self._is_ending = True
        self._notify()
        if self._work is not None:
            await asyncio.wait({self._work})
        self._check_alive()

    async def close(self) -> None:
        """Give up what is under way; harmless where nothing is."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        self._failure = self._failure or ClientClosed("the session is closed")
        self._notify()

    @property
    def sent_s(self) -> float:
        """Seconds of audio that it was given."""
        return self._heard_samples / SAMPLE_RATE

    @property
    def acknowledged_s(self) -> float:
        """Seconds of audio that the newest decoding spans."""
        return self._text.decoded_ms / 1000

    @property
    def text(self) -> str:
        """All that is shown."""
        return _joined([*self._text.committed, *self._text.shown])

    @property
    def committed_text(self) -> str:
        """The part of it that no later decoding changes."""
        return _joined(self._text.committed)

    async def updates(self) -> AsyncIterator[StreamUpdate]:
        """Yield each change of the text; ends when the session is closed.

        Raises:
            AsrError: a decoding failed.
        """
        seen, seen_words, seen_text = "", 0, ""
        while True:
            changed = self._changed
            final_text, text = self.committed_text, self.text
            if text != seen_text or final_text != seen or self._is_complete:
                new = self._text.committed[seen_words:]
                yield StreamUpdate(
                    text=text,
                    final_text=final_text,
                    new_text=final_text[len(seen) :],
                    tokens=[word.text for word in new],
                    timestamps_ms=[(word.start_ms, word.end_ms) for word in new],
                    confidence=[word.confidence or 0.0 for word in new],
                    acknowledged_s=self.acknowledged_s,
                    is_final=self._is_complete,
                )
                seen, seen_words, seen_text = final_text, seen_words + len(new), text
                if self._is_complete:
                    return
                continue
            if isinstance(self._failure, ClientClosed):
                return
            self._check_alive()
            await changed.wait()

    async def _decode_while_it_grows(self) -> None:
        try:
            while not self._is_complete:
                changed, heard_ms = self._changed, self._heard_samples // SAMPLES_PER_MS
                if self._is_ending or self._text.is_due(heard_ms):
                    await self._decode(heard_ms, is_last=self._is_ending)
                else:
                    await changed.wait()
        except AsrError as error:
            self._failure = error
            self._notify()

    async def _decode(self, heard_ms: int, *, is_last: bool) -> None:
        """Decode the window."""
        start_ms = self._text.window_ms
        audio = np.concatenate([np.zeros(0, np.float32), *self._audio])
        audio = audio[(start_ms - self._first_ms) * SAMPLES_PER_MS :]
        self._audio, self._first_ms = [audio], start_ms
        words: Sequence[Word] = ()
        if audio.size:
            transcripts = await self._recogniser.recognise([audio], self._options, self._timeout_s)
            spoken = recognised_segment(transcripts[0], start_ms, heard_ms)
            words = spoken.words if spoken is not None else ()
        self._text.accept(words, heard_ms, is_last=is_last)
        self._is_complete = is_last
        self._notify()

    def _check_alive(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _joined(words: Sequence[Word]) -> str:
    return join_texts([word.text for word in words])
