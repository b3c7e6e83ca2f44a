"""The gRPC transport of blocking clients, which may live in a process that forks.

grpc.aio does not survive a fork: once a process has used it, a child that makes a client of its own
crashes or waits for ever, even if the parent had closed its client. gRPC for threads lets it work.
So single requests go over gRPC for threads. Streams use grpc.aio, from the first one on: over gRPC
for threads each of them would take two threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from .grpc import GrpcTransport


class ThreadedGrpcTransport(GrpcTransport):
    """`interface.Transport` over gRPC for threads; streams as its base class."""

    _threaded: triton.InferenceServerClient | None = None  # made at the first call

    def _start(self, method: str, *arguments: Any, **options: Any) -> Awaitable[Any]:
        self._calls.check_open()
        if self._threaded is None:
            self._threaded = triton.InferenceServerClient(**self._connection())
        if method == "infer":
            return _answer(self._threaded, options)
        # The others are rare and short.
        return asyncio.to_thread(partial(getattr(self._threaded, method), *arguments, **options))

    async def close(self) -> None:
        """Close both channels; calls under way end with `ClientClosed`."""
        await super().close()
        if self._threaded is not None:
            self._threaded.close()


async def _answer(client: triton.InferenceServerClient, options: dict[str, Any]) -> Any:
    """Send a request by gRPC's threads and await its answer; a cancellation gives it up."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[triton.InferResult] = loop.create_future()

    def settle(result: triton.InferResult | None, error: InferenceServerException | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    def report(result: triton.InferResult | None, error: InferenceServerException | None) -> None:
        if not loop.is_closed():  # else nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    call = client.async_infer(callback=report, **options)
    try:
        return await answer
    finally:
        if not answer.done() or answer.cancelled():
            call.cancel()
