"""Who may come in from a browser, and the headers with which every answer leaves.

Any page that somebody opens can make their browser connect to this machine. Where no key is asked
for, a page is served only if it came from this gateway (its `Origin` is the `Host` that was asked
for) or from an origin that the settings name, and only under a host name that is this gateway's:
under any other, a page's own name may have been pointed at this machine (DNS rebinding). Programs
send no `Origin`.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from asr_contract.access import is_loopback

from ..openai import ApiError
from ..shared import Gateway, GatewaySettings, log_event
from .guard import REQUEST_ID, new_request_id

# The page needs nothing from elsewhere, and may not be framed.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; "
    "media-src 'self' blob:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_PROBES = ("/healthz", "/health", "/readyz")  # which orchestrators ask for under any name
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_SHOWN = 100


class Visitors:
    """ASGI middleware around everything, for HTTP and websockets alike."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway
        self._rules = VisitorRules(gateway.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or a websocket, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        problem = self._rules.problem(HTTPConnection(scope))
        if problem is None:
            await self._app(scope, receive, send_with_headers)
            return
        kind, text = problem
        self._gateway.metrics.refused.labels(kind).inc()
        request_id = new_request_id()
        log_event(
            "visitor refused",
            level=logging.WARNING,
            reason=kind,
            told=text,
            request_id=request_id,
        )
        body = ApiError(403, text, code=f"{kind}_not_allowed").body()
        response = JSONResponse(body, 403, {REQUEST_ID: request_id})
        if scope["type"] == "websocket":
            websocket = WebSocket(scope, receive, send_with_headers)
            await websocket.send_denial_response(response)
        else:
            await response(scope, receive, send_with_headers)


class VisitorRules:
    """Judges the `Host` and `Origin` of requests.

    Args:
        settings: the names and origins that are known; with keys nothing is asked here.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._open = bool(settings.api_keys)
        self._origins = {origin.lower() for origin in settings.allowed_origins}
        self._hosts = {host.lower() for host in settings.allowed_hosts}
        self._any_address = not is_loopback(settings.host)
        self._hosts |= {"localhost", settings.host.lower().strip("[]")} - {""}
        if self._any_address:
            self._hosts.add(socket.gethostname().lower())

    def problem(self, connection: HTTPConnection) -> tuple[str, str] | None:
        """Return what is wrong with a request, "host" or "origin" and a sentence; None if fine."""
        if self._open:
            return None
        headers = connection.headers
        host = headers.get("host", "")
        if connection.url.path not in _PROBES and not self._knows(host):
            return "host", (
                f"Host: expected a name of this gateway; got {host[:_MAX_SHOWN]!r} (--allowed-host "
                "names more, and with an API key any will do)"
            )
        origin = headers.get("origin")
        if origin is None:
            # What a page loads without asking for its content, as a script or a picture.
            is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
            if is_foreign and headers.get("sec-fetch-mode") != "navigate" and not self._origins:
                return "origin", "expected no page of another origin; got a request of one"
            return None
        allowed = self._origins & {"*", origin.lower()}
        if not allowed and not _same(origin, host):
            return "origin", (
                f"Origin: expected the page of this gateway, or none; got {origin[:_MAX_SHOWN]!r} "
                "(--allow-origin lets a page in, null a file)"
            )
        return None

    def _knows(self, host: str) -> bool:
        """Return whether a `Host` is this gateway; a program of HTTP/1.0 sends none."""
        if not host or "*" in self._hosts:
            return True
        name = _split(f"//{host}")[0]
        if name in self._hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # A name can be pointed at another machine, an address cannot.
        return self._any_address or address.is_loopback


def _same(origin: str, host: str) -> bool:
    """Return whether a page came from the host and port that it asks."""
    name, port = _split(origin)
    default = _DEFAULT_PORTS.get(urlsplit(origin).scheme)
    asked_name, asked_port = _split(f"//{host}")
    return bool(name) and name == asked_name and (port or default) == (asked_port or default)


def _split(url: str) -> tuple[str, int | None]:
    """Return host, in lower case, and port of a URL; "" for what is none."""
    try:
        parts = urlsplit(url)
        if "@" in parts.netloc:
            return "", None
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None
