"""Stands between clients and gRPC's own server: bounds connections, and messages on their way.

    client ── TCP ──> relay ── a private socket ──> gRPC's server ──> checks ──> Triton

Bytes pass as they are. Where too much is on its way the connection that holds most is cut, of the
address that holds most: whoever sends usual requests is never that. When much was on its way and
is not any more, the memory that it took is given back to the system.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import itertools
import secrets
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from asr_server.doors.body import MAX_WAITING_BYTES
from asr_server.doors.http2_messages import Messages
from asr_server.doors.tensors import Refused

MAX_CONNECTIONS = 2048
PREFACE_S = 10.0  # a connection that says nothing is closed after
PAUSE_S = 60.0  # so is one on which part of a message has come, and nothing since
_LOOK_S = 5.0
_MUCH_BYTES = 32 << 20


class Relay:
    """Passes connections on to a server at a socket, under names that tell whose they are.

    Args:
        server: where it listens.
        max_connections: at a time.
        max_bytes: of messages that are not whole, of all connections together.
    """

    def __init__(
        self,
        server: Path,
        max_connections: int = MAX_CONNECTIONS,
        max_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._server = server
        self._max_connections = max_connections
        self._max_bytes = max_bytes
        self._connections: dict[str, Connection] = {}  # by name
        self._arriving = 0
        self._most_arriving = 0  # since the last look
        # Names are in a namespace that all users share: nobody guesses them.
        self._names = (f"triton-asr-{secrets.token_hex(8)}-{n}" for n in itertools.count())
        self._listening: asyncio.Server | None = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket) -> None:
        """Take connections."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            lambda: Connection(self, next(self._names)), sock=listening
        )
        self._looking = asyncio.create_task(self._look())

    async def close(self) -> None:
        """End, with all connections."""
        if self._looking is not None:
            self._looking.cancel()
        if self._listening is not None:
            self._listening.close()
        for connection in [*self._connections.values()]:
            connection.cut()

    def address_of(self, peer: str) -> str:
        """Return a client's address, by the name under which gRPC's server knows it."""
        connection = self._connections.get(peer.removeprefix("unix-abstract:"))
        return peer if connection is None else connection.address

    def opened(self, connection: Connection) -> None:
        """Take notice of a connection; where there are too many, the idlest makes way."""
        self._connections[connection.name] = connection
        if len(self._connections) > self._max_connections:
            self._most(lambda each: 1, lambda each: (not each.messages.calls, -each.heard_s)).cut()

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        if self._connections.pop(connection.name, None) is not None:
            self._arriving -= connection.messages.num_bytes

    def arrived(self, more_bytes: int) -> None:
        """Take notice of bytes of messages that are not whole, or with less than 0 of their end."""
        self._arriving += more_bytes
        self._most_arriving = max(self._most_arriving, self._arriving)
        while self._arriving > self._max_bytes:
            self._most(
                lambda each: each.messages.num_bytes, lambda each: each.messages.num_bytes
            ).cut()

    async def connect(self, connection: Connection) -> Onward:
        """Return a connection to the server, under the name of a client's.

        Raises:
            OSError: the server is not there.
        """
        onward = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            onward.setblocking(False)
            onward.bind(f"\0{connection.name}")
            loop = asyncio.get_running_loop()
            await loop.sock_connect(onward, str(self._server))
            _, protocol = await loop.create_connection(lambda: Onward(connection), sock=onward)
        except BaseException:
            onward.close()
            raise
        return protocol

    def _most(
        self, weight: Callable[[Connection], int], order: Callable[[Connection], Any]
    ) -> Connection:
        """Return, of the address whose connections weigh most, the one that is last in order."""
        weights: Counter[str] = Counter()
        for each in self._connections.values():
            weights[each.address] += weight(each)
        ((address, _),) = weights.most_common(1)
        theirs = [each for each in self._connections.values() if each.address == address]
        return max(theirs, key=order)

    async def _look(self) -> None:
        """Cut connections that stand still within a message, or before any; give memory back."""
        most = 0
        while True:
            await asyncio.sleep(_LOOK_S)
            now = asyncio.get_running_loop().time()
            for each in [*self._connections.values()]:
                if each.messages.num_bytes and now - each.heard_s > PAUSE_S:
                    each.cut()
            # Of the period before: gRPC's server frees a message some time after its end.
            if most > _MUCH_BYTES:
                _give_memory_back()
            most, self._most_arriving = self._most_arriving, self._arriving


def _give_memory_back() -> None:
    """Let glibc, which keeps what was freed, give it back."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


class Connection(asyncio.Protocol):
    """A client's.

    Attributes:
        name: under which it is passed on.
        address: the client's.
        messages: on their way.
        heard_s: when something came last.
    """

    transport: asyncio.Transport

    def __init__(self, relay: Relay, name: str) -> None:
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self._onward: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._silent: asyncio.TimerHandle | None = None
        self._over = False
        self.name = name
        self.address = ""
        self.messages = Messages()
        self.heard_s = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for its first words; then it is passed on."""
        self.transport = cast(asyncio.Transport, transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self._silent = self._loop.call_later(PREFACE_S, self.cut)
        self._relay.opened(self)

    def data_received(self, data: bytes) -> None:
        """Count, and pass on."""
        if self._over:
            return
        self.heard_s = self._loop.time()
        if self._silent is not None:
            self._silent.cancel()
            self._silent = None
        before = self.messages.num_bytes
        try:
            self.messages.sent(data)
        except Refused:
            self.cut()
            return
        if self._onward is not None:
            self._onward.write(data)
        else:
            self.transport.pause_reading()
            self._connecting = self._loop.create_task(self._connect(data))
        self._relay.arrived(self.messages.num_bytes - before)

    async def _connect(self, data: bytes) -> None:
        try:
            onward = await self._relay.connect(self)
        except OSError:
            self.cut()  # the client comes again, as when a port is closed
            return
        self._onward = onward.transport
        self._onward.write(data)
        if self._over:
            self.cut()
        else:
            self.transport.resume_reading()

    def answer(self, data: bytes) -> None:
        """Give what the server says to the client."""
        if self._over:
            return
        before = self.messages.num_bytes
        self.messages.answered(data)
        self._relay.arrived(self.messages.num_bytes - before)
        self.transport.write(data)

    def pause_writing(self) -> None:
        """Let the server wait for a client that does not read."""
        if self._onward is not None:
            self._onward.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        if self._onward is not None:
            self._onward.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it, and end it on the other side."""
        self._over = True
        if self._silent is not None:
            self._silent.cancel()
        self._relay.closed(self)
        if self._onward is not None:
            self._onward.close()

    def cut(self) -> None:
        """End it at once, on both sides."""
        self._over = True
        self._relay.closed(self)
        self.transport.abort()
        if self._onward is not None:
            self._onward.abort()


class Onward(asyncio.Protocol):
    """The other side of a client's connection."""

    transport: asyncio.Transport

    def __init__(self, client: Connection) -> None:
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Pass on."""
        self._client.answer(data)

    def pause_writing(self) -> None:
        """Let the client wait for a server that does not read."""
        with contextlib.suppress(RuntimeError):  # it is closed
            self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        with contextlib.suppress(RuntimeError):
            self._client.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the client's when all is sent."""
        self._client.transport.close()
