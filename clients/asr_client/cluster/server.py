"""One of several servers: what is known of it, and how it is asked."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from ..errors import AsrError, ClientClosed, ConnectionFailed, ModelNotFound, RequestTimeout
from ..transport import Endpoint, Transport, is_outage

T = TypeVar("T")

LOOK_TIMEOUT_S = 1.0  # a server that is well says within milliseconds whether it is ready
FRESH_S = 2.0  # a look tells no more than that it was so then

# A model that has failed on a server, while the server says that it is ready, is left out for so
# long: its process may be starting anew, or the server does not have it.
AVOIDED_S = 2.0


class Server:
    """A server, with what is needed to compare it with others.

    Args:
        endpoint: where it is.
        make: makes the way to it.

    Attributes:
        transport: replaced when it was given up.
        is_usable: as far as is known: it may be asked.
        sequences: that are open on it, of this client.
        requests: under way to it, of this client.
        waiting: how many requests waited in its queues on the average of late, of all clients.
        chosen: number of the choice that was its last; below 0 before the first.
    """

    def __init__(self, endpoint: Endpoint, make: Callable[[Endpoint], Transport]) -> None:
        self.endpoint = endpoint
        self._make = make
        self.transport = make(endpoint)
        self.is_usable = True
        self.sequences = self.requests = 0
        self.waiting = 0.0
        self.chosen = -random.random()  # clients that begin together do not go the same round
        self._looks = 0  # under way
        self._ready_s = float("-inf")  # when it last said that it is
        self._silent_since_s: float | None = None
        self._avoided: dict[str, float] = {}  # model → until when
        self._queue: tuple[float, int] | None = None  # when asked, and ns that requests had waited

    @property
    def load(self) -> float:
        """How many requests and sequences would have to share it with the next."""
        return self.sequences + self.requests + self.waiting

    @property
    def is_idle(self) -> bool:
        """Whether this client asks nothing of it."""
        return not (self.sequences or self.requests or self._looks)

    @property
    def is_ready(self) -> bool:
        """Whether it said so just now."""
        return self.is_usable and time.monotonic() - self._ready_s < FRESH_S

    def avoids(self, model: str) -> bool:
        """Return whether a model has failed here just now."""
        return self._avoided.get(model, 0.0) > time.monotonic()

    def silent_s(self) -> float:
        """Return for how long it has not answered though it can be reached."""
        return 0.0 if self._silent_since_s is None else time.monotonic() - self._silent_since_s

    async def ask(self, model: str, call: Callable[[Transport], Awaitable[T]]) -> T:
        """Ask something about a model, and note what the server's failure says of it.

        Raises:
            ConnectionFailed: among others; it was given up meanwhile, too.
            AsrError: the others of `errors`.
        """
        transport = self.transport
        self.requests += 1
        try:
            return await call(transport)
        except ClientClosed as error:
            if transport is self.transport:
                raise
            raise self._given_up() from error
        except AsrError as error:
            self._note(error, model)
            raise
        finally:
            self.requests -= 1

    def check_same(self, transport: Transport) -> None:
        """Raise ConnectionFailed if it was given up since it had this transport."""
        if transport is not self.transport:
            raise self._given_up()

    async def look(self, timeout_s: float = LOOK_TIMEOUT_S) -> bool:
        """Return whether the server says that it is ready, and remember it.

        Raises:
            AsrError: it does not say.
        """
        begun_s = time.monotonic()
        self._looks += 1
        try:
            self.is_usable = await self.transport.server_ready(timeout_s)
        except RequestTimeout:
            self.is_usable = False
            if self._silent_since_s is None:
                self._silent_since_s = begun_s
            raise
        except AsrError:
            self.is_usable, self._silent_since_s = False, None  # who waits for it is told, too
            raise
        finally:
            self._looks -= 1
        self._silent_since_s = None
        if self.is_usable:
            self._ready_s = time.monotonic()
        return self.is_usable

    async def look_at_queues(self) -> None:
        """Find out how many requests wait on it."""
        with suppress(AsrError):  # a server need not tell
            queue_ns = await self.transport.queue_ns(LOOK_TIMEOUT_S)
            now_s = time.monotonic()
            if self._queue is not None:
                then_s, before_ns = self._queue
                # Little's law: the time that all have waited, by the time in which they did. A
                # server that was started anew counts from nothing.
                self.waiting = max(queue_ns - before_ns, 0) / 1e9 / (now_s - then_s)
            self._queue = now_s, queue_ns

    async def give_up(self) -> None:
        """End what is under way to it, with ConnectionFailed."""
        transport, self.transport = self.transport, self._make(self.endpoint)
        self._silent_since_s = None
        await transport.close()

    def _note(self, error: AsrError, model: str) -> None:
        if isinstance(error, ConnectionFailed):
            self.is_usable = False
        elif isinstance(error, ModelNotFound) or is_outage(error):
            self._avoided[model] = time.monotonic() + AVOIDED_S

    def _given_up(self) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self.endpoint.url}: the server did not answer any more, and was given up"
        )
