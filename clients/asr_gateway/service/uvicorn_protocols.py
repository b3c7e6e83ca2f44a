"""uvicorn's protocols with limits of time that it lacks: for headers, reading and closing."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

# Connections on which no request has come yet, of all clients together; the oldest gives way.
MAX_WAITING = 256

# Of messages that have come and were not taken yet: some seconds of live audio.
_MAX_UNTAKEN_BYTES = 1 << 16
_MESSAGE_BYTES = 500  # what one takes beside its data

# When a session has ended, its client may take so long to read what was sent and to close.
_CLOSING_S = 15.0


class EndingWebSocketProtocol(WebSocketsSansIOProtocol):
    """Drops connections of clients that do not read, which would stay open for ever.

    What clients do wrong is no error of ours: uvicorn would log one for each handshake that is
    refused with an answer, which is complete, and one with a traceback for text that is not UTF-8.
    And uvicorn stops and resumes reading for every message, which of live audio costs more than the
    message itself; here only while more of them wait.
    """

    _untaken_bytes = 0  # since nothing waited

    async def receive(self) -> Any:
        """Give the application the next message; reading goes on when none is left."""
        message = await super().receive()
        if self.queue.empty():
            self._untaken_bytes = 0
        return message

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def send_receive_event_to_app(self) -> None:
        """Pass a message on that is complete; end the connection where it is no text (1007)."""
        if self.close_sent:  # nobody takes it, and the client's own close comes behind it
            self.frames = []
            return
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError as error:
                self.frames = []
                self.conn.send_close(CloseCode.INVALID_DATA, f"expected UTF-8: {error.reason}")
                self.handle_parser_exception()
                return
        self._untaken_bytes += _MESSAGE_BYTES + sum(map(len, self.frames))
        was_paused, self.read_paused = self.read_paused, True  # or it would be paused
        super().send_receive_event_to_app()
        self.read_paused = was_paused
        if self._untaken_bytes > _MAX_UNTAKEN_BYTES and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    async def run_asgi(self) -> None:
        """Serve a client, and see that its connection ends."""
        await super().run_asgi()
        if not self.disconnected:
            self.loop.call_later(_CLOSING_S, self.transport.abort)


def http_protocol(header_timeout_s: float, send_timeout_s: float) -> type[asyncio.Protocol]:
    """Return a protocol that gives up clients that neither ask nor read in time.

    uvicorn limits the time between requests, not that of a request's first line and headers: a
    client that sends a byte now and then would hold its connection for ever. So would one that
    does not read a streamed answer, and with it what makes the answer. One whose body is no HTTP is
    told so, once.

    Args:
        header_timeout_s: for the first headers of a connection.
        send_timeout_s: for making room when more has been written than is kept for a client.
    """
    waiting: dict[TimedProtocol, None] = {}  # in the order in which they came

    class TimedProtocol(H11Protocol):
        _header_timer: asyncio.TimerHandle | None = None
        _send_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._header_timer = self.loop.call_later(header_timeout_s, self.transport.close)
            waiting[self] = None
            if len(waiting) > MAX_WAITING:
                oldest = next(iter(waiting))
                del waiting[oldest]
                oldest.transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_header_timer()
            self._stop_send_timer()
            super().connection_lost(exc)

        def handle_events(self) -> None:
            super().handle_events()
            if self.cycle is not None:
                self._stop_header_timer()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._stop_header_timer()
            super().handle_websocket_upgrade(event)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._send_timer = self.loop.call_later(send_timeout_s, self.transport.abort)

        def resume_writing(self) -> None:
            self._stop_send_timer()
            super().resume_writing()

        def send_400_response(self, msg: str) -> None:
            # Where it is a body that goes wrong, the request that it is of ends here: uvicorn
            # would let its application answer once more, which is an error in the log.
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                super().send_400_response(msg)
            else:  # an answer has begun
                self.transport.close()

        def _stop_header_timer(self) -> None:
            waiting.pop(self, None)
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _stop_send_timer(self) -> None:
            if self._send_timer is not None:
                self._send_timer.cancel()
                self._send_timer = None

    return TimedProtocol
