"""What has to finish before a door may go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# A sequence whose client says nothing for so long is not waited for; Triton itself lets go of it
# then if it has no room.
IDLE_S = 10.0
_LEFT_S = 1.0  # whose answer was the last may have one more question


@dataclass(frozen=True)
class Step:
    """What a request says of the sequence that it is part of."""

    sequence_id: int | str
    start: bool
    end: bool


class UnderWay:
    """Requests, streams, and sequences whose requests come one by one."""

    def __init__(self) -> None:
        self._calls = 0
        self._sequences: dict[tuple[str, int | str], float] = {}  # last answer, the oldest first

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a request, or a stream, while it is answered."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def note(self, model: str, step: Step | None) -> None:
        """Take in that a request was answered, which was no error."""
        if step is None:
            return
        key = model, step.sequence_id
        self._sequences.pop(key, None)
        if not step.end:
            self._sequences[key] = time.monotonic()
        self._forget()

    async def finished(self) -> None:
        """Wait until nothing is under way."""
        empty_s = 0.0
        while empty_s < _LEFT_S:
            await asyncio.sleep(_LEFT_S / 10)
            self._forget()
            empty_s = 0.0 if self._calls or self._sequences else empty_s + _LEFT_S / 10

    def _forget(self) -> None:
        """Let go of sequences that nobody goes on with."""
        oldest_s = time.monotonic() - IDLE_S
        while self._sequences and next(iter(self._sequences.values())) < oldest_s:
            self._sequences.pop(next(iter(self._sequences)))
