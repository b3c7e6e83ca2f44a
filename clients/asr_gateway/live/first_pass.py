"""The first pass: the model that gives text while a stretch of speech is spoken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from asr_client import AsyncClient, FileOptions, StreamUpdate
from asr_client.audio import Waveform
from asr_client.streaming import Outbox
from asr_contract import ROW_MS, SAMPLES_PER_MS, STREAMING_MODEL, ChunkSize


class Session(Protocol):
    """A session of the SDK; as `AsyncStreamSession`."""

    @property
    def sent_s(self) -> float:
        """Seconds of audio that it was given."""

    @property
    def acknowledged_s(self) -> float:
        """Seconds of audio that were answered for."""

    async def open(self) -> None:
        """Begin."""

    async def send(self, waveform: Waveform, /) -> None:
        """Take audio in, [samples] float32 at 16 kHz."""

    def updates(self) -> AsyncIterator[StreamUpdate]:
        """Yield each change of the text."""

    async def finish(self) -> object:
        """Wait for the last words."""

    async def close(self) -> None:
        """End it; its last words are not wanted."""


class FirstPass:
    """A session of one stretch of speech that is sent whole chunks.

    Less changes no text, and each request costs the models their time.

    Args:
        session: not open yet; all but audio goes to it as it is.
        chunk_samples: how much the model takes at a time; 1 for any.
    """

    def __init__(self, session: Session, chunk_samples: int) -> None:
        self._session = session
        self._chunk_samples = chunk_samples
        self._held = Outbox()
        self._samples = 0  # that were sent
        self.open = session.open
        self.updates = session.updates
        self.finish = session.finish
        self.close = session.close

    @property
    def unanswered_s(self) -> float:
        """Seconds of audio that were sent and not answered for yet."""
        return self._session.sent_s - self._session.acknowledged_s

    async def send(self, waveform: Waveform) -> None:
        """Take audio in, [samples] float32 at 16 kHz; it goes with the rest of its chunk."""
        self._held.put(waveform)
        chunks = (self._samples + self._held.samples) // self._chunk_samples
        if chunks > self._samples // self._chunk_samples:
            await self.flush()

    async def flush(self) -> None:
        """Send what is held back, before `finish`."""
        held = self._held.take(self._held.samples)
        if held.size:
            self._samples += held.size
            await self._session.send(held)


def first_pass(
    client: AsyncClient, model: str, options: FileOptions, chunk_size: ChunkSize
) -> Callable[[], FirstPass]:
    """Return what makes a session.

    Args:
        client: of the Triton server.
        model: the streaming model, or a model of whole recordings, which is asked again and again.
        options: of the second pass, for a model of whole recordings.
        chunk_size: of the streaming model.
    """
    if model == STREAMING_MODEL:
        samples = chunk_size.current * ROW_MS * SAMPLES_PER_MS

        def begin() -> FirstPass:
            session = client.stream(chunk_size=chunk_size, hotwords=options.hotwords)
            session.hold_nothing()  # the inbox has it
            return FirstPass(session, samples)

        return begin
    hotwords = options.hotwords if model == options.model else None
    return lambda: FirstPass(
        client.growing_speech(model=model, language=options.language, hotwords=hotwords), 1
    )
