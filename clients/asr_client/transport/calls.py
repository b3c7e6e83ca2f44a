"""Awaits calls of tritonclient so that each of them ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from ..errors import ClientClosed
from ..time_limit import GivenUp, within

T = TypeVar("T")


class Calls:
    """Runs calls of tritonclient such that a timeout, a cancellation or `close` ends them.

    `close` is told apart from a cancellation by the caller: only the latter is passed on as
    `asyncio.CancelledError`. (grpc.aio reports a closed channel as a cancellation too.)
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._closing: asyncio.Future[None] | None = None
        self.closed = False

    async def run(self, call: Awaitable[T], timeout_s: float) -> T:
        """Await a call for at most `timeout_s` seconds.

        Raises:
            TimeoutError: it took longer.
            ClientClosed: `close` was called meanwhile.
        """
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_future()
        try:
            return await within(timeout_s, call, unless=self._closing)
        except GivenUp:
            raise ClientClosed(f"{self._url}: the client was closed during the call") from None

    def check_open(self) -> None:
        """Raise ClientClosed after `close`."""
        if self.closed:
            raise ClientClosed(f"{self._url}: the client is closed")

    def close(self) -> None:
        """End the calls under way and refuse new ones."""
        self.closed = True
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
