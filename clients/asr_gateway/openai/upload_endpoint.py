"""What every request that uploads a recording passes through: keys, limits, counters, errors."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..shared import Gateway, TooManySessions, failure_kind, log_event, logged
from .api_errors import ApiError, api_error
from .uploads import UploadRequest

MODE, _DOOR = "http", "openai"  # for counters


class UploadEndpoint(ABC):
    """An ASGI application for uploads: it holds its place in the limits to the end.

    Attributes:
        what: is done with the upload, in the log.
    """

    what: str

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        settings = self.gateway.settings
        request = UploadRequest(
            scope,
            receive,
            max_bytes=settings.max_upload_bytes,
            idle_timeout_s=settings.upload_idle_timeout_s,
        )
        metrics, outcome, begun_s = self.gateway.metrics, "left", time.monotonic()
        number = self.gateway.next_number()
        try:
            async with AsyncExitStack() as stack:
                client = self.gateway.keys.client(request)
                self.gateway.make_room(client)
                stack.enter_context(self.gateway.limits.session(client))
                await self.gateway.check_triton()
                response = await self.gateway.unless_ended(self.answer(request, receive, stack))
                if response is not None:
                    await response(scope, receive, send)
                    outcome = "ok"
        except ClientDisconnect:
            pass
        except Exception as error:
            failure = api_error(error)
            self.count_failure(error)
            if failure.code is None and failure.status == 500:
                raise
            outcome = "error"
            log_event(
                f"{self.what} failed",
                session=number,
                status=failure.status,
                code=failure.code,
                param=failure.param,
                # What is wrong with a field quotes it.
                error="ApiError" if isinstance(error, ApiError) else logged(error),
            )
            await failure.response()(scope, receive, send)
        finally:
            metrics.utterances.labels(MODE, outcome).inc()
            log_event(
                self.what,
                session=number,
                outcome=outcome,
                elapsed_s=round(time.monotonic() - begun_s, 3),
            )

    @abstractmethod
    async def answer(
        self, request: UploadRequest, receive: Receive, stack: AsyncExitStack
    ) -> Response | None:
        """Return the answer; None for a client that has gone. `stack` closes what it needs."""

    def count_failure(self, error: Exception) -> None:
        """Count what was refused or failed."""
        metrics = self.gateway.metrics
        if isinstance(error, TooManySessions):
            metrics.refused.labels(error.reason).inc()
        else:
            kind = "request" if isinstance(error, ApiError) else failure_kind(error)
            metrics.errors.labels(_DOOR, kind).inc()

    def count_audio(self, duration_s: float, elapsed_s: float) -> None:
        """Count the audio of a request that is done, and how long it took."""
        metrics = self.gateway.metrics
        metrics.audio_s.labels(MODE).inc(duration_s)
        if duration_s:
            metrics.real_time_factor.labels(MODE).observe(elapsed_s / duration_s)


async def until_left(answer: Coroutine[Any, Any, Response], receive: Receive) -> Response | None:
    """Do what an answer takes, unless the client goes meanwhile."""
    work = asyncio.create_task(answer)
    leaving = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for task in (work, leaving):
            task.cancel()
        await asyncio.gather(work, leaving, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
