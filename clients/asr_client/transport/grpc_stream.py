"""Carries the requests of one sequence over one gRPC stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

import tritonclient.grpc.aio as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from .. import tracing
from ..errors import ConnectionFailed
from ..protocol import InferRequest
from .calls import Calls
from .failures import translated
from .grpc_messages import grpc_arguments, grpc_outputs
from .interface import traced_request


class GrpcRequestStream:
    """`RequestStream` over one bidirectional gRPC stream, which keeps the order both ways.

    Triton can also end the stream with the status of a failed request (the header
    `triton_grpc_error`), but release 24.10 crashes when requests are pipelined behind it. So an
    answer that is an error has its text only.
    """

    max_in_flight = 8

    def __init__(
        self,
        client: triton.InferenceServerClient,
        url: str,
        calls: Calls,
        headers: Mapping[str, str] | None,
    ) -> None:
        self._url = url
        self._calls = calls
        self._outgoing: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._waiting: deque[asyncio.Future[triton.InferResult]] = deque()
        self._ended: Exception | None = None
        self._span = tracing.begin("stream", {"server.address": url})
        self._answers = client.stream_infer(
            self._requests(), headers={**(headers or {}), **tracing.headers(self._span)}
        )
        self._reader = asyncio.create_task(self._read())

    async def exchange(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name, within `timeout_s`."""
        with (
            translated(self._url, f"model {request.model_name!r}", timeout_s),
            traced_request(request, self._url),
        ):
            self._calls.check_open()
            if self._ended is not None:
                raise self._ended
            answer: asyncio.Future[triton.InferResult] = asyncio.get_running_loop().create_future()
            self._waiting.append(answer)
            self._outgoing.put_nowait(grpc_arguments(request, timeout_s))
            return grpc_outputs(await self._calls.run(answer, timeout_s))

    async def close(self) -> None:
        """Cancel the stream; what is on the way ends with ConnectionFailed."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        if self._span is not None and self._span.is_recording():
            self._span.end()

    async def _requests(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the requests to tritonclient, until the stream ends."""
        while (arguments := await self._outgoing.get()) is not None:
            yield arguments

    async def _read(self) -> None:
        """Give each answer to the request it belongs to, until the stream ends."""
        try:
            async for result, error in self._answers:
                self._settle(result, error)
            self._end(ConnectionFailed(f"{self._url}: the server ended the stream"))
        except asyncio.CancelledError:
            self._end(ConnectionFailed(f"{self._url}: the stream was given up"))
            raise
        except Exception as error:  # `translated` tells them apart for every waiting request
            self._end(error)
        finally:
            self._answers.cancel()

    def _settle(
        self,
        result: triton.InferResult | None,
        error: InferenceServerException | None,
    ) -> None:
        """Answer the oldest request; one that was given up meanwhile does not care."""
        answer = self._waiting.popleft()
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            # Without a status tritonclient's exceptions count as its own: give it one.
            answer.set_exception(InferenceServerException(error.message(), status="UNKNOWN"))

    def _end(self, error: Exception) -> None:
        """Fail what waits and what comes."""
        self._ended = error
        self._outgoing.put_nowait(None)
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(error)
        self._waiting.clear()
