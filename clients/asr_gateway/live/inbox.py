"""Live audio between the socket it comes from and the models it goes to: a bounded queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Protocol

from asr_client.audio import Waveform
from asr_client.streaming import LiveAudio, LiveReader, Outbox
from asr_contract import SAMPLE_RATE

from .arrivals import Arrivals

# What waits before `put` makes the socket wait; the sender's own buffers come on top.
MAX_WAITING_SAMPLES = 5 * SAMPLE_RATE
# Of a piece: Triton keeps for good the memory of the largest request for each that ever was on the
# way at once, and a live session is late at times. Pieces of 2 s cost no less processor time.
MAX_PIECE_SAMPLES = SAMPLE_RATE
_SAMPLE_BYTES = 2


class AudioSource(Protocol):
    """Gives 16 kHz audio in pieces."""

    @property
    def late_s(self) -> float:
        """How long the audio waits, or last did, that is next or was taken last."""

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
        self._frames = _Frames(piece_samples)
        self._piece_samples = piece_samples
        self._outbox = Outbox()
        self._changed = asyncio.Event()
        self._ended = False
        self._arrivals = Arrivals()
        self._late_s = 0.0  # when it was last taken from
        self.received_samples = 0

    async def put(self, audio: LiveAudio, sample_rate: int | None = None) -> None:
        """Take audio in, a second at a time; waits while too much of it waits.

        So a frame of many minutes is never in memory as samples. Where `end` is called meanwhile,
        the rest of it still counts.

        Args:
            audio: bytes of 16-bit samples, or an array, as `LiveReader.read` takes them.
            sample_rate: in Hz, where it is not the inbox's own.

        Raises:
            AudioError: it cannot be used, or has the header of a codec.
        """
        rate = sample_rate or self._sample_rate
        for piece in _seconds(audio, rate):
            for joined, its_rate in self._frames.put(piece, rate):
                self._read(joined, its_rate)
            while self._outbox.samples > MAX_WAITING_SAMPLES and not self._ended:
                await self._wait()
        if self._ended:
            self.end()

    @property
    def waiting_s(self) -> float:
        """How much has come and was not taken, in seconds."""
        return self._outbox.samples / SAMPLE_RATE + self._frames.waiting_s

    @property
    def received_s(self) -> float:
        """How much has come, in seconds."""
        return self.received_samples / SAMPLE_RATE + self._frames.waiting_s

    @property
    def late_s(self) -> float:
        """As `AudioSource.late_s`; audio that is too little to be taken does not count."""
        return max(self._late_s, self._waits_s())

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the audio so far, for the client."""
        return self._reader.warnings

    def end(self) -> None:
        """Nothing follows."""
        self._ended = True
        try:
            for joined, rate in self._frames.finish():
                self._read(joined, rate)
            for piece in self._reader.finish():
                self._add(piece)
        finally:
            self._notify()

    async def take(self) -> Waveform | None:
        """Wait for the next piece, [samples] float32 at 16 kHz; None after the last."""
        while self._outbox.samples < self._piece_samples and not self._ended:
            await self._wait()
        if not self._outbox.samples:
            return None
        self._late_s = self._waits_s()
        piece = self._outbox.take(MAX_PIECE_SAMPLES)
        self._notify()
        return piece

    def _read(self, audio: LiveAudio, rate: int) -> None:
        for piece in self._reader.read(audio, rate):
            self._add(piece)

    def _add(self, piece: Waveform) -> None:
        self.received_samples += piece.size
        self._arrivals.note(1000 * self.received_samples / SAMPLE_RATE, time.monotonic())
        self._outbox.put(piece)
        if self._outbox.samples >= self._piece_samples:
            self._notify()

    def _waits_s(self) -> float:
        """Return for how long there has been a piece to take."""
        if self._outbox.samples < self._piece_samples:
            return 0.0
        taken = self.received_samples - self._outbox.samples
        return self._arrivals.since_s(1000 * (taken + self._piece_samples) / SAMPLE_RATE)

    async def _wait(self) -> None:
        await self._changed.wait()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _seconds(audio: LiveAudio, rate: int) -> Iterator[LiveAudio]:
    """Yield audio in pieces of a second; of bytes, as they are mostly: 16 bits, one channel."""
    size = rate * (_SAMPLE_BYTES if isinstance(audio, (bytes, bytearray, memoryview)) else 1)
    for first in range(0, len(audio), size):
        yield audio[first : first + size]


class _Frames:
    """Joins the bytes of frames, so that they are read in pieces: each reading has its price.

    Args:
        piece_samples: of 16 kHz, that are worth it.
    """

    def __init__(self, piece_samples: int) -> None:
        self._piece_s = piece_samples / SAMPLE_RATE
        self._joined = bytearray()
        self._rate = 0

    @property
    def waiting_s(self) -> float:
        """How much is joined so far, in seconds."""
        return len(self._joined) / (_SAMPLE_BYTES * self._rate) if self._joined else 0.0

    def put(self, audio: LiveAudio, rate: int) -> Iterator[tuple[LiveAudio, int]]:
        """Take a frame in; yield what is to be read now, with its rate."""
        if rate != self._rate or not isinstance(audio, (bytes, bytearray, memoryview)):
            yield from self.finish()
            self._rate = rate
            yield audio, rate  # what is wrong with a beginning is told at once
            return
        self._joined += audio
        if len(self._joined) >= _SAMPLE_BYTES * rate * self._piece_s:
            yield from self.finish()

    def finish(self) -> Iterator[tuple[LiveAudio, int]]:
        """Yield what is left."""
        if self._joined:
            joined, self._joined = self._joined, bytearray()
            yield joined, self._rate
