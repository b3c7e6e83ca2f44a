"""Runs a gateway with uvicorn, and ends it in good order."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from ..shared import Gateway, GatewaySettings
from .application import make_application
from .uvicorn_protocols import EndingWebSocketProtocol, http_protocol
from .visitors import Visitors

# A frame of a websocket; FunASR's clients send up to 200 KB, others a whole file at once.
MAX_FRAME_BYTES = 32 << 20

# Keeps proxies from closing a quiet connection. No answer is demanded: while audio waits to be
# recognised the socket is not read, and a pong waits behind it.
_PING_INTERVAL_S = 20.0

_CLOSING_S = 5  # for what is under way after the grace of the settings
_FORCED_S = 1.0  # for closing connections to Triton after a second Ctrl-C


class AddressError(Exception):
    """Nobody can listen there; the message says why."""


def check_address(host: str, port: int) -> None:
    """See that an address can be listened on, before anything is begun.

    Raises:
        AddressError: it is none of this machine, or another program listens there.
    """
    shown = f"port {port} of {host or 'this machine'}"
    try:
        for family, kind, number, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, number) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressError(
                f"{shown} is in use by another program; --port names another"
            ) from None
        raise AddressError(f"cannot listen on {shown}: {error.strerror or error}") from None


class GatewayServer(uvicorn.Server):
    """A uvicorn server that lets sessions finish before it closes their connections.

    Args:
        on_started: is told where the gateway listens, host and port.

    Attributes:
        gateway: what its sessions share.
    """

    def __init__(
        self, settings: GatewaySettings, on_started: Callable[[str, int], None] | None
    ) -> None:
        self.gateway = Gateway(settings)
        self._on_started = on_started
        self._finish_s = 0.0
        config = uvicorn.Config(
            Visitors(make_application(self.gateway), self.gateway),
            host=settings.host,
            port=settings.port,
            ssl_certfile=settings.certfile,
            ssl_keyfile=settings.keyfile,
            http=http_protocol(settings.header_timeout_s, settings.send_timeout_s),
            ws=EndingWebSocketProtocol,
            ws_max_size=MAX_FRAME_BYTES,
            ws_ping_interval=_PING_INTERVAL_S,
            ws_ping_timeout=None,
            ws_per_message_deflate=False,  # speech does not get smaller, and it costs time
            proxy_headers=False,  # or a client could choose the address that limits count for
            server_header=False,
            access_log=False,  # URLs may hold keys; `guard` logs routes
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=_CLOSING_S,
        )
        super().__init__(config)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; SIGTERM, by which a server is replaced, lets sessions go on for a while."""
        if sig == signal.SIGTERM:
            self._finish_s = self.gateway.settings.drain_s
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if self.started and self._on_started is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_started(host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let sessions finish, then close all; a second Ctrl-C waits no longer."""
        await self.gateway.drain(self._finish_s, lambda: self.force_exit)
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn would cancel the application, and log a traceback
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self.lifespan.shutdown(), _FORCED_S)
