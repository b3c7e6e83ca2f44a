"""Ends connections of HTTP on which nothing is asked, where that lasts or there are too many.

aiohttp lets a connection wait for its first request for ever, and counts none: whoever opens
thousands and says nothing would lock all others out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp.web_protocol import RequestHandler

MAX_CONNECTIONS = 2048
FIRST_S = 10.0  # a connection asks for something within
_LOOK_S = 1.0


@dataclass
class _Use:
    """How a connection is used."""

    quiet_since_s: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    requests: int = 0  # so far
    under_way: int = 0


class SilentConnections:
    """Watches the connections of servers.

    Args:
        connections: gives them.
        idle_s: between two requests.
        most: at a time; where there are more, of the address that has most the quietest end.
    """

    def __init__(
        self,
        connections: Callable[[], Sequence[RequestHandler]],
        idle_s: float,
        most: int = MAX_CONNECTIONS,
    ) -> None:
        self._connections = connections
        self._idle_s = idle_s
        self._most = most
        self._uses: dict[RequestHandler, _Use] = {}

    @contextmanager
    def in_use(self, connection: RequestHandler) -> Iterator[None]:
        """Take notice of a request."""
        use = self._use(connection)
        use.requests += 1
        use.under_way += 1
        try:
            yield
        finally:
            use.under_way -= 1
            use.quiet_since_s = asyncio.get_running_loop().time()

    async def watch(self) -> None:
        """End what is quiet for too long, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now = asyncio.get_running_loop().time()
            self._uses = {each: self._use(each) for each in self._connections()}
            for each, use in self._uses.items():
                patience_s = FIRST_S + (self._idle_s if use.requests else 0.0)
                if not use.under_way and now - use.quiet_since_s > patience_s:
                    _cut(each)
            self.make_room()

    def make_room(self) -> None:
        """End connections where there are too many."""
        connections = self._connections()
        for _ in range(len(connections) - self._most):
            connections = [each for each in connections if _address(each) is not None]
            if not connections:
                return
            ((address, _),) = Counter(map(_address, connections)).most_common(1)
            theirs = [each for each in connections if _address(each) == address]
            _cut(min(theirs, key=self._rank))

    def _rank(self, connection: RequestHandler) -> tuple[bool, float]:
        use = self._use(connection)
        return use.under_way > 0, use.quiet_since_s

    def _use(self, connection: RequestHandler) -> _Use:
        return self._uses.setdefault(connection, _Use())


def _address(connection: RequestHandler) -> str | None:
    """Return the client's address; None of a connection that has ended."""
    transport = connection.transport
    if transport is None or transport.is_closing():
        return None
    return str((transport.get_extra_info("peername") or ("",))[0])


def _cut(connection: RequestHandler) -> None:
    if connection.transport is not None:
        connection.transport.abort()
