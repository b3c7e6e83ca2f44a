"""The HTTP transport for threads: the asynchronous one, run by a thread of its own.

tritonclient's synchronous HTTP client rests on gevent: it must stay on one thread, its timeouts
are per socket operation (a server that sends a byte now and then is waited for forever), and it
repeats a request on a fresh connection by itself. The asynchronous one has none of these, so
this transport runs it on a private event loop. Any number of threads may call; each waits for
its own answer.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from numpy.typing import NDArray

from .endpoint import Endpoint
from .errors import ClientClosed
from .failures import translated
from .protocol import InferRequest, ModelMetadata
from .results import ModelInfo
from .transport_aio import AsyncHttpTransport

T = TypeVar("T")

# The event loop applies the timeout; the waiting thread allows it this long to report so.
_REPORT_S = 2.0


class HttpTransport:
    """`transport.Transport` over HTTP."""

    def __init__(self, endpoint: Endpoint, ca_file: str | None = None) -> None:
        self._url = endpoint.url
        self._inner = AsyncHttpTransport(endpoint, ca_file)
        self._loop = asyncio.new_event_loop()
        self._closed = False
        self._thread = threading.Thread(
            target=_run, args=(self._loop,), name="asr-client-http", daemon=True
        )
        self._thread.start()
        # A client that is dropped without close() must not leave its thread behind.
        self._stop = weakref.finalize(self, _stop, self._loop, self._inner)

    def _call(self, call: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run a coroutine on the event loop and wait for its result in this thread."""
        if self._closed:
            call.close()
            raise ClientClosed(f"{self._url}: the client is closed")
        with translated(self._url, "request", timeout_s):
            future = asyncio.run_coroutine_threadsafe(call, self._loop)
            try:
                return future.result(timeout_s + _REPORT_S)
            except concurrent.futures.CancelledError:
                raise ClientClosed(f"{self._url}: the client was closed during the call") from None
            except BaseException:
                future.cancel()  # Ctrl-C in this thread: the request shall not run on
                raise

    def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        return self._call(self._inner.infer(request, timeout_s), timeout_s)

    def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        return self._call(self._inner.server_ready(timeout_s), timeout_s)

    def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        return self._call(self._inner.model_ready(name, timeout_s), timeout_s)

    def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        return self._call(self._inner.model_metadata(name, timeout_s), timeout_s)

    def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        return self._call(self._inner.ready_models(timeout_s), timeout_s)

    def close(self) -> None:
        """Close the connections and end the thread; calls under way end with `ClientClosed`."""
        self._closed = True
        self._stop()
        self._thread.join(timeout=_REPORT_S)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Body of the thread: run the loop until it is stopped, then close it."""
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, inner: AsyncHttpTransport) -> None:
    """Close the transport on its loop, give ended calls a turn to report, stop the loop."""

    async def close() -> None:
        await inner.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_REPORT_S / 2)
        loop.stop()

    if not loop.is_closed():
        asyncio.run_coroutine_threadsafe(close(), loop)
