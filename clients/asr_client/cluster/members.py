"""Which servers there are, looked at while they are used; the one with most room is chosen."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..errors import AsrError, ClientClosed
from ..transport import Endpoint, Transport
from .addresses import addresses_of, may_be_several
from .server import Server

# Between two looks at a server. With a look's timeout it is less than two seconds, so that nobody
# new goes to one that is lost after that.
LOOK_S = 0.75
_LOOKS_FOR_QUEUES = 4  # its queues are asked for at every so many looks
RESOLVE_S = 5.0  # between two look-ups of a name
RESOLVE_TIMEOUT_S = 5.0

# A server that does not answer for so long, while another does, is given up with what is under way.
SILENT_S = 5.0

_UNUSED_S = 60.0  # nobody looks any more after so long


class Members:
    """The servers behind some endpoints, for one event loop.

    Args:
        endpoints: as they were given.
        make: makes the way to a server.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], make: Callable[[Endpoint], Transport]
    ) -> None:
        self._endpoints = list(endpoints)
        self._make = make
        self._servers: dict[Endpoint, Server] = {}
        self._leaving: set[Server] = set()  # no more behind their name; not yet without sequences
        self._named = any(map(may_be_several, self._endpoints))
        self._finding = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._looking: dict[Server, asyncio.Task[None]] = {}
        self._choices = 0
        self._used_s = 0.0
        self._closed = False

    @property
    def all(self) -> list[Server]:
        """All that there are now."""
        return list(self._servers.values())

    @property
    def is_used(self) -> bool:
        """Whether anything was asked of late, or is under way."""
        busy = any(server.sequences or server.requests for server in self._servers.values())
        return not self._closed and (busy or time.monotonic() - self._used_s < _UNUSED_S)

    async def found(self) -> None:
        """Wait until the servers are known.

        Raises:
            ClientClosed: `close` was called.
        """
        if self._closed:
            raise ClientClosed("the client is closed")
        self._used_s = time.monotonic()
        if not self._servers:
            async with self._finding:
                if not self._servers:
                    await self._find()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(_watch(weakref.ref(self)))

    def choose(self, model: str, other_than: Server | None = None) -> Server | None:
        """Return the server with most room; of equal ones the one that was not asked for longest.

        Args:
            model: that is to be asked.
            other_than: one that has failed.

        Returns:
            None where there is no other; one that is thought to be lost where all are.
        """
        best = min(
            (server for server in self._servers.values() if server is not other_than),
            key=lambda each: (not each.is_usable, each.avoids(model), each.load, each.chosen),
            default=None,
        )
        if best is not None:
            self._choices += 1
            best.chosen = self._choices
        return best

    async def look(self) -> None:
        """Look up names, look after the servers' watchers, and give up what is silent."""
        if self._named:
            await self._find()
        for server in self.all:
            task = self._looking.get(server)
            if len(self._servers) > 1 and (task is None or task.done()):
                self._looking[server] = asyncio.create_task(
                    _look_after(weakref.ref(self), weakref.ref(server))
                )
        for server in [each for each in self._leaving if each.is_idle]:
            self._leaving.discard(server)
            await server.transport.close()

    async def give_up_if_silent(self, server: Server) -> None:
        """Give a server up that does not answer, where another can do its work."""
        others = any(each.is_ready for each in self._servers.values() if each is not server)
        if others and server.silent_s() > SILENT_S:
            await server.give_up()

    async def close(self) -> None:
        """Close the ways to all servers."""
        self._closed = True
        tasks = [*self._looking.values(), *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        servers = [*self._servers.values(), *self._leaving]
        await asyncio.gather(*(server.transport.close() for server in servers))

    async def _find(self) -> None:
        """Bring the servers up to date with their names."""
        found: dict[Endpoint, None] = {}
        for endpoint in self._endpoints:
            addresses = [endpoint]
            if may_be_several(endpoint):
                addresses = await addresses_of(endpoint, RESOLVE_TIMEOUT_S)
                if addresses == [endpoint]:  # no such name, or a name server that is away
                    known = [each for each in self._servers if each.authority == endpoint.address]
                    addresses = known or addresses
            found |= dict.fromkeys(addresses)
        for endpoint in found:
            if endpoint not in self._servers:
                self._servers[endpoint] = Server(endpoint, self._make)
        for endpoint in [each for each in self._servers if each not in found]:
            server = self._servers.pop(endpoint)
            self._leaving.add(server)
            if (task := self._looking.pop(server, None)) is not None:
                task.cancel()


async def _watch(weak: weakref.ref[Members]) -> None:
    """Keep servers known while they are used; refers to them weakly, as they may be dropped."""
    while True:
        members = weak()
        if members is None or not members.is_used:
            return
        await members.look()
        del members
        await asyncio.sleep(RESOLVE_S)


async def _look_after(weak: weakref.ref[Members], weak_server: weakref.ref[Server]) -> None:
    """Look at one server again and again, at its queues now and then."""
    count = 0
    while True:
        members, server = weak(), weak_server()
        if members is None or server is None or not members.is_used:
            return
        with suppress(AsrError):
            if await server.look() and count % _LOOKS_FOR_QUEUES == 0:
                await server.look_at_queues()
        await members.give_up_if_silent(server)
        count += 1
        del members, server
        await asyncio.sleep(LOOK_S)
