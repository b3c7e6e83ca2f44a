"""An asynchronous transport on an event loop of its own, in one thread, for callers that wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..errors import ClientClosed
from ..transport.failures import translated
from ..transport.interface import AsyncTransport

T = TypeVar("T")

# The event loop applies the timeout; the waiting thread allows it this long to report so.
_REPORT_S = 2.0


class Background:
    """Runs coroutines of one transport for any number of threads; each waits for its own result.

    Attributes:
        transport: to be used by these coroutines only.
    """

    def __init__(self, url: str, transport: AsyncTransport, thread_name: str) -> None:
        self.transport = transport
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._closed = False
        self._thread = threading.Thread(
            target=_run, args=(self._loop,), name=thread_name, daemon=True
        )
        self._thread.start()
        # A client that is dropped without close() must not leave its thread behind.
        self._stop = weakref.finalize(self, _stop, self._loop, transport)

    def call(self, call: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run a coroutine on the event loop and wait for its result in this thread.

        Args:
            timeout_s: that the coroutine applies; None if it ends by itself in other ways.
        """
        if self._closed:
            call.close()
            raise ClientClosed(f"{self._url}: the client is closed")
        with translated(self._url, "request", timeout_s or 0):
            future = asyncio.run_coroutine_threadsafe(call, self._loop)
            try:
                return future.result(None if timeout_s is None else timeout_s + _REPORT_S)
            except concurrent.futures.CancelledError:
                raise ClientClosed(f"{self._url}: the client was closed during the call") from None
            except BaseException:
                future.cancel()  # Ctrl-C in this thread: the request shall not run on
                raise

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


def _stop(loop: asyncio.AbstractEventLoop, transport: AsyncTransport) -> None:
    """Close the transport on its loop, give ended calls a turn to report, stop the loop."""

    async def close() -> None:
        await transport.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_REPORT_S / 2)
        loop.stop()

    if not loop.is_closed():
        asyncio.run_coroutine_threadsafe(close(), loop)
