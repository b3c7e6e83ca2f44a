"""Triton is away: it starts anew, or a process of one of its models does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from asr_client import AsrError, AsyncClient
from asr_client.transport import is_outage as failed_for_the_server
from asr_client.transport import within

T = TypeVar("T")

RETRY_AFTER_S = 5
"""When clients that are sent away may come again; a start takes some times as long."""

_LOOK_S = 0.5
_KEPT_S = 1.0  # so that new sessions, however many, are one question to Triton
_AWAY_KEPT_S = 0.2  # nobody is sent away for longer than needed
_READY_TIMEOUT_S = 2.0


class TritonAway(ConnectionError):
    """Triton did not come back in time; the text says what a client has lost."""


def is_outage(error: BaseException) -> bool:
    """Return whether a failure passes when Triton, or a process of it, is back."""
    return isinstance(error, TritonAway) or failed_for_the_server(error)


class TritonWatch:
    """Knows whether Triton answers; for one event loop.

    Args:
        client: of the server.

    Attributes:
        answered: what was found when it was last looked at.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._looking = asyncio.Lock()
        self._looked_s = float("-inf")
        self.answered = True

    async def answers(self) -> bool:
        """Return whether Triton said that it is ready, a second ago at most."""
        async with self._looking:
            kept_s = _KEPT_S if self.answered else _AWAY_KEPT_S
            if time.monotonic() - self._looked_s > kept_s:
                self.answered = await self._look()
                self._looked_s = time.monotonic()
        return self.answered

    async def back(self) -> None:
        """Wait until Triton answers; asks a moment later, as a process may just be starting."""
        await asyncio.sleep(_LOOK_S)
        while not await self.answers():
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> bool:
        try:
            await self._client.check_ready(timeout_s=_READY_TIMEOUT_S)
        except AsrError:
            return False
        return True


async def through_outages(watch: TritonWatch, hold_s: float, work: Callable[[], Awaitable[T]]) -> T:
    """Do something, and again when Triton was away meanwhile.

    Raises:
        AsrError: `work` does, and not for an outage, or the outage lasts longer than `hold_s`.
    """
    deadline_s = time.monotonic() + hold_s
    while True:
        try:
            return await work()
        except Exception as error:
            left_s = deadline_s - time.monotonic()
            if not is_outage(error) or left_s <= 0:
                raise
            try:
                await within(left_s, watch.back())
            except TimeoutError:
                raise error from None
