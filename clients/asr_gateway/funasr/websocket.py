"""The websocket endpoint of FunASR's protocol.

FunASR's clients connect to any path; whatever is no HTTP route takes them.
"""

from __future__ import annotations

from contextlib import suppress

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from ..live import ChannelClosed, WebSocketChannel, serve_session
from ..live.channel import TRY_LATER
from ..shared import Gateway, TooManySessions
from .connection import Connection
from .protocol import UtteranceOptions
from .replies import error_reply

SUBPROTOCOL = "binary"  # which FunASR's Python client asks for


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
        try:
            await serve_session(
                gateway,
                client,
                lambda admission: Connection(gateway, channel, admission),
            )
        except TooManySessions as refusal:
            with suppress(ChannelClosed):
                await channel.send(error_reply(UtteranceOptions(), str(refusal), wants_end=False))
            await channel.close(TRY_LATER, str(refusal))
