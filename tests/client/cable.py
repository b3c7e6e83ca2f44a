"""A way to a server that can be cut."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Cable:
    """Forwards connections to a port of this machine, to be used `async with`.

    Attributes:
        sent: bytes that went to the server.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._forwarding: set[asyncio.Task[None] | None] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.sent = 0

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        await asyncio.gather(*filter(None, self._forwarding))

    def cut(self) -> None:
        """End all connections; there will be no others."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._forwarding.add(asyncio.current_task())
        back, forth = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, forth}
        await asyncio.gather(self._pass(reader, forth, True), self._pass(back, writer, False))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                self.sent += len(data) * counts
                writer.write(data)
                await writer.drain()
        writer.close()
