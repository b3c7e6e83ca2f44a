"""uvicorn's HTTP protocol with a limit on how long a request's headers may take to arrive."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def http_protocol(header_timeout_s: float) -> type[asyncio.Protocol]:
    """Return a protocol that closes connections whose first headers do not come in time.

    uvicorn limits the time between requests, not that of a request's first line and headers: a
    client that sends a byte now and then would hold its connection for ever.
    """

    class TimedProtocol(H11Protocol):
        _header_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._header_timer = self.loop.call_later(header_timeout_s, self.transport.close)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_header_timer()
            super().connection_lost(exc)

        def handle_events(self) -> None:
            super().handle_events()
            if self.cycle is not None:
                self._stop_header_timer()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._stop_header_timer()
            super().handle_websocket_upgrade(event)

        def _stop_header_timer(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

    return TimedProtocol
