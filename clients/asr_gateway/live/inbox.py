"""Live audio between the socket it comes from and the models it goes to: a bounded queue."""

from __future__ import annotations

import asyncio
from typing import Protocol

from asr_client.audio import Waveform
from asr_client.streaming import LiveAudio, LiveReader, Outbox
from asr_contract import SAMPLE_RATE

# What waits before `put` makes the socket wait; the sender's own buffers come on top.
MAX_WAITING_SAMPLES = 10 * SAMPLE_RATE
MAX_PIECE_SAMPLES = 5 * SAMPLE_RATE


class AudioSource(Protocol):
    """Gives 16 kHz audio in pieces."""

    async def take(self) -> Waveform | None:
        """Wait for the next piece, [samples] float32; None after the last."""


class AudioInbox:
    """Takes audio in frames of any size and gives 16 kHz audio in pieces worth a request.

    Args:
        sample_rate: of frames for which no other is told, in Hz.
        piece_samples: a piece has at least so many, unless it is the last.

    Attributes:
        received_samples: of 16 kHz, so far.
    """

    def __init__(self, sample_rate: int, piece_samples: int) -> None:
        self._sample_rate = sample_rate
        self._reader = LiveReader()
        self._piece_samples = piece_samples
        self._outbox = Outbox()
        self._changed = asyncio.Event()
        self._ended = False
        self.received_samples = 0

    async def put(self, audio: LiveAudio, sample_rate: int | None = None) -> None:
        """Take audio in; waits while too much of it waits.

        Args:
            audio: bytes of 16-bit samples, or an array, as `LiveReader.read` takes them.
            sample_rate: in Hz, where it is not the inbox's own.

        Raises:
            AudioError: it cannot be used, or has the header of a codec.
        """
        for piece in self._reader.read(audio, sample_rate or self._sample_rate):
            self._add(piece)
        while self._outbox.samples > MAX_WAITING_SAMPLES:
            await self._wait()

    @property
    def waiting_s(self) -> float:
        """How much has come and was not taken, in seconds."""
        return self._outbox.samples / SAMPLE_RATE

    @property
    def warnings(self) -> list[str]:
        """What is to be said of the audio so far."""
        return self._reader.warnings

    def end(self) -> None:
        """Nothing follows."""
        for piece in self._reader.finish():
            self._add(piece)
        self._ended = True
        self._notify()

    async def take(self) -> Waveform | None:
        """Wait for the next piece, [samples] float32 at 16 kHz; None after the last."""
        while self._outbox.samples < self._piece_samples and not self._ended:
            await self._wait()
        if not self._outbox.samples:
            return None
        piece = self._outbox.take(MAX_PIECE_SAMPLES)
        self._notify()
        return piece

    def _add(self, piece: Waveform) -> None:
        self.received_samples += piece.size
        self._outbox.put(piece)
        if self._outbox.samples >= self._piece_samples:
            self._notify()

    async def _wait(self) -> None:
        await self._changed.wait()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
