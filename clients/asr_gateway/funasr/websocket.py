"""The websocket endpoint: admits clients, and carries messages between Starlette and a connection.

FunASR's clients connect to any path; whatever is no HTTP route takes them.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack, suppress
from typing import Any

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from asr_client.transport import within

from ..shared import Gateway, TooManySessions, log_event
from .channel import TRY_LATER, ChannelClosed
from .connection import Connection
from .protocol import UtteranceOptions
from .replies import error_reply

SUBPROTOCOL = "binary"  # which FunASR's Python client asks for
_MAX_REASON = 100  # bytes of a close frame's text, of 123


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


class WebSocketEndpoint:
    """Serves websockets, each until it ends."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a client."""
        gateway = self._gateway
        if not gateway.keys.admit(websocket, in_query=True):
            gateway.metrics.refused.labels("api_key").inc()
            await websocket.send_denial_response(
                JSONResponse({"error": "expected an API key"}, status_code=401)
            )
            return
        offered = websocket.scope.get("subprotocols", [])
        await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        channel = WebSocketChannel(websocket, gateway.settings.send_timeout_s)
        client = gateway.keys.client(websocket, in_query=True)
        number = gateway.next_number()
        try:
            with ExitStack() as place:
                gateway.make_room(client)
                place.enter_context(gateway.limits.session(client))
                await gateway.check_triton()
                log_event("session", session=number, client=client)
                connection = Connection(gateway, channel, number, client, place.close)
                gateway.sessions.add(connection)
                try:
                    await connection.run()
                finally:
                    gateway.sessions.discard(connection)
                    log_event("session ended", session=number)
        except TooManySessions as refusal:
            gateway.metrics.refused.labels(refusal.reason).inc()
            log_event("session refused", session=number, client=client, reason=refusal.reason)
            with suppress(ChannelClosed):
                await channel.send(error_reply(UtteranceOptions(), str(refusal), wants_end=False))
            await channel.close(TRY_LATER, str(refusal))
