"""Many recordings side by side, for `transcribe_many`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ..audio import AudioInput
from ..options import checked_concurrency
from ..results import Outcome, Transcript


class ManyRecordings:
    """Recognises recordings, a request each, at most `concurrency` at a time.

    Whoever has the recordings, and the thread that it wants to look at them in, goes through them
    itself: it starts one where there is room and takes an outcome where there is none.
    """

    def __init__(
        self, transcribe: Callable[[AudioInput], Coroutine[Any, Any, Transcript]], concurrency: int
    ) -> None:
        self._transcribe = transcribe
        self._concurrency = checked_concurrency(concurrency)
        self._running: dict[asyncio.Task[Transcript], int] = {}
        self._outcomes: dict[int, Outcome] = {}

    @property
    def is_full(self) -> bool:
        """Whether no more may be started before one has ended."""
        return len(self._running) >= self._concurrency

    @property
    def is_empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._running

    @property
    def outcomes(self) -> list[Outcome]:
        """How those that have ended did, in the order of the recordings."""
        return [self._outcomes[index] for index in sorted(self._outcomes)]

    async def start(self, index: int, audio: AudioInput) -> None:
        """Begin with a recording."""
        self._running[asyncio.create_task(self._transcribe(audio))] = index

    async def next(self) -> Outcome:
        """Wait for the next that ends, and return how it did."""
        done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        task = done.pop()
        index = self._running.pop(task)
        try:
            outcome = Outcome(index, transcript=task.result())
        except Exception as error:
            outcome = Outcome(index, error=error)
        self._outcomes[index] = outcome
        return outcome

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
