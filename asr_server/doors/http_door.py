"""KServe v2 over HTTP, for clients: what is checked goes on to Triton's own HTTP, on a socket.

Only what clients need is open: health, metadata, configurations, statistics and inference. On the
port of the metrics there are only these.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from asr_contract import recorded
from asr_server.doors.access import Access
from asr_server.doors.body import NoRoom, Room, TooLarge, announced_bytes, read_body
from asr_server.doors.infer_body import rewritten
from asr_server.doors.silent import SilentConnections
from asr_server.doors.tensors import Refused
from asr_server.doors.under_way import Step, UnderWay

HEADER_LENGTH = "Inference-Header-Content-Length"
RETRY_AFTER_S = 5
_NAME = r"[A-Za-z0-9_.\-]{1,200}"
_MODEL = rf"/v2/models/{{model:{_NAME}}}"
_VERSIONED = rf"{_MODEL}/versions/{{version:\d{{1,18}}}}"
_ANSWER_HEADERS = ("Content-Type", "Content-Encoding", HEADER_LENGTH)
_IDLE_S = 75.0  # of a connection between requests
_QUERY_TIMEOUT_S = 30.0
_CLOSED = (
    "not served here: KServe v2's health, metadata, config, stats and infer are (below /v2), and "
    "on the port of metrics GET /metrics"
)
_LEAVING = "the server stops"
_LIVE = "/v2/health/live"
_READY = "/v2/health/ready"
_READY_TIMEOUT_S = 2.0  # who does not say that it is ready is not
_OPEN = (_LIVE, _READY)  # to probes, which have no key
_SAFE = {"Server": "triton-asr", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


_LOG = logging.getLogger("asr_server.doors.http")


def _is_ours(record: logging.LogRecord) -> bool:
    """Return whether an error is this door's: aiohttp logs one for what is no HTTP, too."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


_LOG.addFilter(_is_ours)


class HttpDoor:
    """Serves clients on two listening sockets.

    Args:
        access: who is let in.
        http: Triton's own socket.
        metrics: that of its metrics.
    """

    def __init__(self, access: Access, http: Path, metrics: Path) -> None:
        self._access = access
        self._sockets = {"http": http, "metrics": metrics, "ready": http}
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self._room = Room()
        self._runners: list[web.AppRunner] = []
        self._leaving = False
        self._under_way = UnderWay()
        self._silent = SilentConnections(self._connections, _IDLE_S)
        self._watching: asyncio.Task[None] | None = None

    async def start(self, http: socket.socket, metrics: socket.socket) -> None:
        """Listen."""
        for name, path in self._sockets.items():
            self._sessions[name] = aiohttp.ClientSession(
                # Triton serves a connection by one thread, which is busy while it loads a model:
                # whether it is ready is asked by one that may get another.
                connector=aiohttp.UnixConnector(str(path), limit=0, force_close=name == "ready"),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        queries = ["/v2", "/v2/models/stats"]
        for place in (_MODEL, _VERSIONED):
            queries += [place, *(f"{place}/{what}" for what in ("ready", "config", "stats"))]
        infer = [f"{place}/infer" for place in (_MODEL, _VERSIONED)]
        await self._listen(
            http,
            [
                web.get(_LIVE, self._live),
                web.get(_READY, self._ready),
                *(web.get(path, self._query) for path in queries),
                *(web.post(path, self._infer) for path in infer),
            ],
        )
        await self._listen(metrics, [web.get("/metrics", self._metrics)])
        self._watching = asyncio.create_task(self._silent.watch())

    async def left(self) -> None:
        """Say that the server is not ready, take no new sequence, and wait for what is open.

        The door stays: health is asked here.
        """
        self._leaving = True
        await self._under_way.finished()

    async def close(self) -> None:
        """End, with what is under way."""
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    async def _listen(self, listening: socket.socket, routes: list[web.RouteDef]) -> None:
        app = web.Application(middlewares=[self._guarded])
        app.add_routes(routes)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_LOG,
            handler_cancellation=True,  # a client that leaves gives its request up
            keepalive_timeout=_IDLE_S,
            lingering_time=0.2,  # for a body that is not read
            shutdown_timeout=2.0,
        )
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, listening).start()

    def _connections(self) -> list[RequestHandler]:
        servers = [runner.server for runner in self._runners]
        return [each for server in servers if server for each in server.connections]

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Serve a request, or say why not."""
        try:
            with self._silent.in_use(request.protocol):
                self._admit(request)
                response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            reason = _CLOSED if error.status in (404, 405) else error.reason
            response = _refusal(error.status, reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except Refused as error:
            response = _refusal(error.status, str(error))
        except NoRoom:
            response = _later("as much is under way as this door takes together")
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError):  # no OSError in Python 3.10
            starts = "Triton does not answer: it starts, or starts anew"
            response = _later(_LEAVING if self._leaving else starts)
        return response

    def _admit(self, request: web.Request) -> None:
        """Raise what refuses a request before its body is read.

        Raises:
            web.HTTPException, Refused: it does.
        """
        headers = request.headers
        host = headers.get("Host", "")
        if not self._access.knows_host(host):
            raise web.HTTPMisdirectedRequest(
                reason="this name of the server is not known to it; see --allowed-host"
            )
        if self._access.is_foreign_page(host, headers.get("Origin"), headers.get("Sec-Fetch-Site")):
            raise web.HTTPForbidden(reason="pages of other origins are not served")
        if request.path not in _OPEN and not self._access.has_key(headers.get("Authorization", "")):
            raise web.HTTPUnauthorized(reason="expected Authorization: Bearer KEY")
        if request.method not in ("GET", "POST"):
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "POST"])
        if request.method == "GET" and (request.can_read_body or request.body_exists):
            raise TooLarge("expected a GET without a body")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Say that this server lives: what watches Triton starts it anew where it does not.

        While models load, Triton itself answers nothing; whoever ended the server for that would
        do it again and again.
        """
        return web.Response(headers=_SAFE)

    async def _ready(self, request: web.Request) -> web.StreamResponse:
        if self._leaving:
            return _later(_LEAVING)
        return await self._passed(request, "ready", b"", {}, _READY_TIMEOUT_S)

    async def _query(self, request: web.Request) -> web.StreamResponse:
        return await self._passed(request, "http", b"", {}, _QUERY_TIMEOUT_S)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        return await self._passed(request, "metrics", b"", {}, _QUERY_TIMEOUT_S)

    async def _infer(self, request: web.Request) -> web.StreamResponse:
        lengths = request.headers.getall(HEADER_LENGTH, [])
        if len(lengths) > 1 or not all(re.fullmatch(r"\d{1,9}", each) for each in lengths):
            raise Refused(f"{HEADER_LENGTH}: expected one number of bytes")
        async with self._room.reserved(announced_bytes(request)):
            body = await read_body(request)
            body, length = rewritten(body, int(lengths[0]) if lengths else None)
            step = _step(json.loads(body[:length]).get("parameters", {}))
            if self._leaving and step is not None and step.start:
                return _later(_LEAVING)
            joining = recorded({name.lower(): value for name, value in request.headers.items()})
            headers = {HEADER_LENGTH: str(length), **joining}
            with self._under_way.call():
                response = await self._passed(request, "http", body, headers, None)
                if response.status == 200:
                    self._under_way.note(request.match_info["model"], step)
                return response

    async def _passed(
        self,
        request: web.Request,
        to: str,
        body: bytes,
        headers: dict[str, str],
        timeout_s: float | None,
    ) -> web.StreamResponse:
        """Ask Triton, and give its answer."""
        headers["Accept-Encoding"] = request.headers.get("Accept-Encoding", "identity")
        async with self._sessions[to].request(
            request.method,
            f"http://triton{request.path}",
            data=body or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        ) as answer:
            response = web.Response(status=answer.status, body=await answer.read(), headers=_SAFE)
            for name in _ANSWER_HEADERS:
                if name in answer.headers:
                    response.headers[name] = answer.headers[name]
            return response


def _step(parameters: dict[str, Any]) -> Step | None:
    """Return what a request's parameters say of a sequence, if they are as Triton takes them."""
    which = parameters.get("sequence_id")
    if not isinstance(which, (int, str)):
        return None
    start, end = (parameters.get(name) is True for name in ("sequence_start", "sequence_end"))
    return Step(which, start, end)


def _refusal(status: int, reason: str) -> web.Response:
    """Return an error as Triton writes one; the connection ends, as its body may be unread."""
    response = web.Response(
        status=status,
        text=json.dumps({"error": reason}),
        content_type="application/json",
        headers=_SAFE,
    )
    response.force_close()
    return response


def _later(reason: str) -> web.Response:
    response = _refusal(503, f"{reason}; come again in {RETRY_AFTER_S} s")
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response
