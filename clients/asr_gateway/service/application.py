"""The routes of a gateway, as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from ..funasr import WebSocketEndpoint
from ..openai import AlignmentEndpoint, ApiError, ModelList, TranscriptionEndpoint, openapi_document
from ..realtime import RealtimeEndpoint
from ..shared import Gateway
from .guard import REQUEST_ID, Guard
from .health import Health

STATIC = Path(__file__).resolve().parents[1] / "static"


def make_application(gateway: Gateway) -> Starlette:
    """Return the application of a gateway; its end closes the gateway's connections."""
    health, models = Health(gateway), ModelList(gateway)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        telling = asyncio.create_task(health.tell_when_ready())
        yield
        telling.cancel()
        await gateway.close()

    return Starlette(
        routes=[
            Route("/", _page),
            Route("/healthz", health.live),
            Route("/health", health.live),  # where clients of FunASR's HTTP servers look
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
            Route("/openapi.json", _openapi),
            Route("/v1/models", models.all),
            Route("/v1/models/{model:path}", models.one),
            Route("/v1/audio/transcriptions", TranscriptionEndpoint(gateway), methods=["POST"]),
            Route("/v1/audio/alignments", AlignmentEndpoint(gateway), methods=["POST"]),
            Route("/v1/audio/translations", _no_translations, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
            WebSocketRoute("/v1/realtime", RealtimeEndpoint(gateway).serve),
            WebSocketRoute("/v1/{path:path}", _no_websocket),
            WebSocketRoute("/{path:path}", WebSocketEndpoint(gateway).serve),
        ],
        middleware=[*_cross_origin(gateway), Middleware(Guard, gateway=gateway)],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )


def _cross_origin(gateway: Gateway) -> list[Middleware]:
    """Return what lets pages of other origins call the API; nothing where none may."""
    origins = gateway.settings.allowed_origins
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=[REQUEST_ID],
        )
    ]


async def _no_translations(request: Request) -> Response:
    return ApiError(
        404,
        "there are no translations: the models write what is said in the language that is spoken; "
        "POST /v1/audio/transcriptions transcribes",
        code="not_found",
    ).response()


async def _no_websocket(websocket: WebSocket) -> None:
    refusal = ApiError(
        404,
        "no websocket is served here; OpenAI's Realtime API is spoken on /v1/realtime, FunASR's "
        "protocol on /",
        code="not_found",
    )
    await websocket.send_denial_response(refusal.response())


_NOTHING_HERE = (
    "nothing is served here over HTTP; /openapi.json describes what is. Websockets: OpenAI's "
    "Realtime API on /v1/realtime, FunASR's protocol on any path outside /v1"
)


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi_document())


async def _http_error(request: Request, error: Exception) -> Response:
    """Say "not found" and the like in the API's form."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    if status == 404:
        detail = _NOTHING_HERE
    elif status == 405 and isinstance(error, HTTPException):
        allowed = (error.headers or {}).get("Allow", "another method")
        detail = f"expected {allowed}; got {request.method}"
    response = ApiError(status, detail, code="not_found" if status == 404 else None).response()
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response
