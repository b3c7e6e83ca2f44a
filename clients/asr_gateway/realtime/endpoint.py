"""The endpoint `/v1/realtime`: admits clients, and reads what they say before the first event.

The URL may name a model of transcription. OpenAI's packages put a model of conversation there, too
(`gpt-realtime`), and say what transcribes in `session.update`; then the gateway's own does until
that says another.
"""

from __future__ import annotations

from starlette.websockets import WebSocket

from ..live import WebSocketChannel, serve_session
from ..openai import ApiError, api_error
from ..shared import EXPECTED_NAMES, Gateway, TooManySessions
from .connection import RealtimeConnection
from .options import first_options
from .requests import shown

_SUBPROTOCOL = "realtime"
_OLDER_SUBPROTOCOL = "openai-beta.realtime-v1"
_OLDER_HEADER = "realtime=v1"
_CONVERSATION_MODELS = ("gpt-realtime", "gpt-4o-realtime", "gpt-4o-mini-realtime")


class RealtimeEndpoint:
    """Serves websockets, each until it ends."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a client, or refuse it before the handshake is done."""
        gateway = self._gateway
        try:
            if not gateway.keys.admit(websocket, in_query=True):
                gateway.metrics.refused.labels("api_key").inc()
                raise ApiError(401, "expected an API key", code="invalid_api_key")
            model_name = self._model_name(websocket)
        except ApiError as refusal:
            await websocket.send_denial_response(refusal.response())
            return
        offered = websocket.scope.get("subprotocols", [])
        older = _OLDER_SUBPROTOCOL in offered or _OLDER_HEADER in websocket.headers.get(
            "openai-beta", ""
        )
        options = first_options(model_name, gateway.settings.vad_options)
        channel = WebSocketChannel(websocket, gateway.settings.send_timeout_s)
        client = gateway.keys.client(websocket, in_query=True)

        async def accept() -> None:
            await websocket.accept(subprotocol=_SUBPROTOCOL if _SUBPROTOCOL in offered else None)

        try:
            await serve_session(
                gateway,
                client,
                lambda admission: RealtimeConnection(
                    gateway, channel, admission, options=options, older=older
                ),
                accept,
            )
        except TooManySessions as refusal:
            await websocket.send_denial_response(api_error(refusal).response())

    def _model_name(self, websocket: WebSocket) -> str:
        """Return the name of a model that transcribes; "" for the gateway's own.

        Raises:
            ApiError: it is none, or something else is wanted.
        """
        intent = websocket.query_params.get("intent", "transcription")
        if intent != "transcription":
            raise ApiError(
                400, f"intent: expected transcription; got {shown(intent)}", param="intent"
            )
        name = websocket.query_params.get("model", "")
        if self._gateway.models.model(name) is not None:
            return name
        if name.startswith(_CONVERSATION_MODELS):
            return ""
        raise ApiError(
            404,
            f"model: expected {EXPECTED_NAMES}; got {shown(name)}",
            param="model",
            code="model_not_found",
        )
