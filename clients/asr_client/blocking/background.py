"""An event loop in one thread, for callers that wait for what runs on it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import ClientClosed, RequestTimeout

T = TypeVar("T")

# The coroutine applies its timeout itself; the waiting thread allows it this long to report so.
_REPORT_S = 2.0

# How long `close` waits for sessions to take leave of the server, connections and the thread.
_CLOSE_S = 10.0

# gRPC tells of calls that were given up a moment later; it logs an error if the loop is gone then.
_ECHO_S = 0.05


class Background:
    """Runs coroutines for any number of threads; each waits for its own result.

    Args:
        url: of the server, for messages.
        close: what ends all that runs on the event loop; it must not refer to this object.
    """

    def __init__(self, url: str, close: Callable[[], Awaitable[None]]) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(
            target=_run, args=(self._loop,), name="asr-client", daemon=True
        )
        self._thread.start()
        # A client that is dropped without close() must not leave its thread behind.
        self._stop = weakref.finalize(self, _stop, self._loop, close)

    def call(self, make: Callable[[], Coroutine[Any, Any, T]], timeout_s: float | None = None) -> T:
        """Run a coroutine on the event loop and wait for its result in this thread.

        Args:
            make: returns the coroutine; it is called on the event loop, so that Ctrl-C in this
                thread cannot leave one that was made and never begun.
            timeout_s: that it applies; None if it ends by itself in other ways.

        Raises:
            ClientClosed: `close` was called, before or meanwhile.
            RequestTimeout: it did not even report in time that it has taken too long.
        """
        with self._lock:  # so that `close` finds all that was begun before it
            if self._closed:
                raise ClientClosed(f"{self._url}: the client is closed")
            future = asyncio.run_coroutine_threadsafe(_Later(make), self._loop)
        try:
            result = future.result(None if timeout_s is None else timeout_s + _REPORT_S)
        except concurrent.futures.CancelledError:
            raise ClientClosed(f"{self._url}: the client was closed during the call") from None
        except BaseException as error:
            given_up = future.cancel()  # Ctrl-C in this thread: the request must not run on
            if given_up and isinstance(error, concurrent.futures.TimeoutError):
                raise RequestTimeout(
                    f"{self._url}: no answer within {timeout_s or 0:.3g} s"
                ) from error
            raise
        return result

    def when_dropped(self, owner: object, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine, which nobody waits for, when an object is garbage.

        Args:
            owner: whose end it is.
            work: returns the coroutine; it must not refer to the owner.
        """
        weakref.finalize(owner, _begin, self._loop, work).atexit = False

    def close(self) -> None:
        """End what runs and the thread; calls under way end with `ClientClosed`."""
        with self._lock:
            self._closed = True
        self._stop()
        self._thread.join(timeout=_CLOSE_S)


class _Later(Coroutine[Any, Any, T]):
    """A coroutine that is made when it begins."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._make = make
        self._made: Coroutine[Any, Any, T] | None = None

    def _inner(self) -> Coroutine[Any, Any, T]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def send(self, value: Any) -> Any:
        """Go on; see `Coroutine`."""
        return self._inner().send(value)

    def throw(self, *arguments: Any) -> Any:
        """Go on with an exception; see `Coroutine`."""
        return self._inner().throw(*arguments)

    def close(self) -> None:
        """End; see `Coroutine`."""
        if self._made is not None:
            self._made.close()

    def __await__(self) -> Generator[Any, Any, T]:
        """See `Coroutine`."""
        return self._inner().__await__()


def _begin(loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start a coroutine on the loop, from any thread; nothing where it does not run any more."""
    with suppress(RuntimeError):
        asyncio.run_coroutine_threadsafe(_Later(work), loop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Be the body of the thread: run the loop until it is stopped, then close it."""
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop, close: Callable[[], Awaitable[None]]) -> None:
    """End what runs on the loop, give ended calls a turn to report, stop the loop."""

    async def stop() -> None:
        try:
            await close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                _, unended = await asyncio.wait(others, timeout=_REPORT_S / 2)
                for task in unended:  # or whoever waits for it would wait forever
                    task.cancel()
                if unended:
                    await asyncio.wait(unended, timeout=_REPORT_S / 2)
                await asyncio.sleep(_ECHO_S)
        finally:
            # Behind what is due already: a task that has just ended is reported by a callback.
            loop.call_soon(loop.stop)

    if not loop.is_closed():
        asyncio.run_coroutine_threadsafe(stop(), loop)
