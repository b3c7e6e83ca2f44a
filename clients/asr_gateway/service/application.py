"""The routes of a gateway, as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from ..funasr import WebSocketEndpoint
from ..openai import ApiError, ModelList, TranscriptionEndpoint, openapi_document
from ..shared import Gateway
from .guard import Guard
from .health import Health

STATIC = Path(__file__).resolve().parents[1] / "static"

# The page needs nothing from elsewhere, and may not be framed.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; "
    "media-src 'self' blob:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def make_application(gateway: Gateway) -> Starlette:
    """Return the application of a gateway; its end closes the gateway's connections."""
    health, models = Health(gateway), ModelList(gateway)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        yield
        await gateway.close()

    return Starlette(
        routes=[
            Route("/", _page),
            Route("/healthz", health.live),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
            Route("/openapi.json", _openapi),
            Route("/v1/models", models.all),
            Route("/v1/models/{model}", models.one),
            Route("/v1/audio/transcriptions", TranscriptionEndpoint(gateway), methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
            WebSocketRoute("/{path:path}", WebSocketEndpoint(gateway).serve),
        ],
        middleware=[Middleware(Guard, gateway=gateway)],
        exception_handlers={HTTPException: _http_error, Exception: _failure},
        lifespan=lifespan,
    )


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers=_PAGE_HEADERS)


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi_document())


async def _http_error(request: Request, error: Exception) -> Response:
    """Say "not found" and the like in the API's form."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    response = ApiError(status, detail).response()
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


async def _failure(request: Request, error: Exception) -> Response:
    return ApiError(500, "the gateway failed; its log says how").response()
