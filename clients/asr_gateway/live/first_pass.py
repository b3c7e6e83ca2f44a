"""The first pass: the model that gives text of a stretch of speech while it is spoken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from asr_client import AsyncClient, FileOptions, StreamUpdate
from asr_client.audio import Waveform
from asr_contract import STREAMING_MODEL, ChunkSize


class FirstPass(Protocol):
    """A session of one stretch of speech; as `AsyncStreamSession`."""

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

        def begin() -> FirstPass:
            session = client.stream(chunk_size=chunk_size, hotwords=options.hotwords)
            session.hold_nothing()  # the inbox has it
            return session

        return begin
    return lambda: client.growing_speech(
        model=model,
        language=options.language,
        hotwords=options.hotwords if model == options.model else None,
    )
