"""What every HTTP request passes: its API key, and the log and counters of what became of it."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..openai import ApiError
from ..shared import HTTP_STATUS, Gateway, joined, log_event, served

# What needs a key where there are keys. The page does not: it asks its user for one.
_PROTECTED = ("/v1", "/metrics")
_ROUTES = (
    "/v1/audio/transcriptions",
    "/v1/models",
    "/healthz",
    "/health",
    "/readyz",
    "/metrics",
    "/static",
)
_TRACED = "/v1/audio/"
_PROBES = ("/healthz", "/health", "/readyz", "/metrics")  # which come all the time

REQUEST_ID = "x-request-id"  # in each answer, and in the log


def new_request_id() -> str:
    """Return what an answer is called in its header and in the log."""
    return f"req_{secrets.token_hex(16)}"


class Guard:
    """ASGI middleware for HTTP; websockets pass to their endpoint, which does the same."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as a part of its caller's trace."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        with joined(HTTPConnection(scope).headers):
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
            else:
                await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        metrics, path = self._gateway.metrics, scope["path"]
        route = next((route for route in _ROUTES if _is_under(path, route)), "other")
        status, begun_s = 0, time.monotonic()
        request_id = new_request_id()

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        try:
            connection = HTTPConnection(scope)
            protected = any(_is_under(path, prefix) for prefix in _PROTECTED)
            if protected and not self._gateway.keys.admit(connection):
                metrics.refused.labels("api_key").inc()
                refusal = ApiError(401, "expected an API key", code="invalid_api_key")
                await refusal.response()(scope, receive, send_noting_status)
            elif path.startswith(_TRACED):
                about = {"http.request.method": scope["method"], "http.route": route}
                with served(f"{scope['method']} {route}", about) as more:
                    more["asr.request_id"] = request_id
                    await self._app(scope, receive, send_noting_status)
                    more[HTTP_STATUS] = status
            else:
                await self._app(scope, receive, send_noting_status)
        except Exception:
            if not status:  # nothing was answered yet
                failure = ApiError(500, "the gateway failed; its log says how")
                await failure.response()(scope, receive, send_noting_status)
            raise
        finally:
            elapsed_s = time.monotonic() - begun_s
            metrics.requests.labels(route, status or "none").inc()
            metrics.request_duration_s.labels(route).observe(elapsed_s)
            log_event(
                "http",
                level=logging.DEBUG if route in _PROBES else logging.INFO,
                method=scope["method"],
                route=route,
                status=status,
                request_id=request_id,
                elapsed_s=round(elapsed_s, 3),
            )


def _is_under(path: str, prefix: str) -> bool:
    """Return whether a path is a prefix, or below it."""
    return path == prefix or path.startswith(prefix + "/")
