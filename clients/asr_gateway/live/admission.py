"""Gives a websocket a place of its own, and carries its messages to and from a session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from asr_client.transport import within

from ..shared import Gateway, TooManySessions, log_event
from .channel import ChannelClosed
from .session import Admission, LiveSession

_MAX_REASON = 100  # bytes of a close frame's text, of 123

MakeSession = Callable[[Admission], LiveSession]
Accept = Callable[[], Awaitable[None]]


class WebSocketChannel:
    """`channel.Channel` over Starlette's websocket."""

    def __init__(self, websocket: WebSocket, send_timeout_s: float) -> None:
        self._websocket = websocket
        self._send_timeout_s = send_timeout_s
        self._sending = asyncio.Lock()

    async def receive(self) -> str | bytes:
        """As `Channel.receive`."""
        message = await self._websocket.receive()
        if message["type"] != "websocket.receive":
            raise ChannelClosed
        data: str | bytes | None = message.get("bytes")
        return data if data is not None else message["text"]

    async def send(self, reply: dict[str, Any]) -> None:
        """As `Channel.send`."""
        text = json.dumps(reply, ensure_ascii=False)
        try:
            async with self._sending:
                await within(self._send_timeout_s, self._websocket.send_text(text))
        except (WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
            raise ChannelClosed from None

    async def close(self, code: int, reason: str) -> None:
        """As `Channel.close`."""
        shortened = reason.encode()[:_MAX_REASON].decode(errors="ignore")
        if self._websocket.application_state is WebSocketState.CONNECTED:
            with suppress(RuntimeError, OSError, WebSocketDisconnect, TimeoutError):
                await within(self._send_timeout_s, self._websocket.close(code, shortened))


async def serve_session(
    gateway: Gateway, client: str, make: MakeSession, accept: Accept | None = None
) -> None:
    """Serve a client in a place of the limits, from beginning to end.

    Args:
        gateway: what it works with.
        client: whose limits count.
        make: makes the session.
        accept: completes the handshake, where that waits for a place.

    Raises:
        TooManySessions: there is no place, or Triton does not answer; nothing was called.
    """
    number = gateway.next_number()
    with ExitStack() as place:
        try:
            await gateway.check_triton()
            gateway.check_pace()
            gateway.make_room(client)  # no waiting from here: those before it have their sessions
            place.enter_context(gateway.limits.session(client))
        except TooManySessions as refusal:
            gateway.metrics.refused.labels(refusal.reason).inc()
            log_event("session refused", session=number, client=client, reason=refusal.reason)
            raise
        if accept is not None:
            await accept()
        log_event("session", session=number, client=client)
        session = make(Admission(number, client, place.close))
        gateway.sessions.add(session)
        try:
            await session.run()
        finally:
            gateway.sessions.discard(session)
            log_event("session ended", session=number)
