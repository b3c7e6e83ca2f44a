"""Reads the bodies of HTTP requests: bounded in size, in number and in time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ContentTypeError, web

from asr_server.doors.tensors import Refused

MAX_BODY_BYTES = 64 << 20
"""16 minutes of audio; what newer Tritons take by HTTP, too."""
MAX_WAITING_BYTES = 4 * MAX_BODY_BYTES  # of all requests under way together
ROOM_TIMEOUT_S = 10.0
PAUSE_TIMEOUT_S = 15.0  # longest pause within a body
LEAST_RATE = 32_000  # bytes per second, on the average of a body


class TooLarge(Refused):
    """A body is larger than a door takes."""

    status = 413


class TooSlow(Refused):
    """A body does not come in time."""

    status = 408


class NoLength(Refused):
    """A body does not say how long it is, as one in chunks."""

    status = 411


class NoRoom(Exception):
    """As much is under way as a door takes together."""


class Room:
    """How many bytes of requests may be under way together. For one event loop.

    Args:
        max_bytes: of those that are under way.
        max_waiting_bytes: of those that wait for them, where these are in memory already.
    """

    def __init__(
        self, max_bytes: int = MAX_WAITING_BYTES, max_waiting_bytes: float = math.inf
    ) -> None:
        self._left = max_bytes
        self._may_wait = max_waiting_bytes
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def reserved(self, count: int) -> AsyncIterator[None]:
        """Hold room for so many bytes; waits for it for a while.

        Raises:
            NoRoom: there was none, or too many bytes wait for it.
        """
        if self._left < count and self._may_wait < count:
            raise NoRoom
        self._may_wait -= count
        try:
            async with self._changed:
                free = self._changed.wait_for(lambda: self._left >= count)
                try:
                    await asyncio.wait_for(free, ROOM_TIMEOUT_S)
                except (TimeoutError, asyncio.TimeoutError):
                    raise NoRoom from None
                self._left -= count
        finally:
            self._may_wait += count
        try:
            yield
        finally:
            self._left += count
            async with self._changed:
                self._changed.notify_all()


def announced_bytes(request: web.Request) -> int:
    """Return how large a body is to be.

    Raises:
        NoLength: it does not say.
        TooLarge: it is too large.
    """
    if "Transfer-Encoding" in request.headers or request.content_length is None:
        raise NoLength("expected a Content-Length; got a body in chunks, or none")
    if request.content_length > MAX_BODY_BYTES:
        raise TooLarge(
            f"expected a body of at most {MAX_BODY_BYTES} bytes; got {request.content_length}"
        )
    return request.content_length


async def read_body(request: web.Request) -> bytes:
    """Return the body, without its compression.

    Raises:
        TooLarge: it is too large without it.
        TooSlow: it does not come in time.
    """
    body = bytearray()
    deadline = asyncio.get_running_loop().time() + PAUSE_TIMEOUT_S
    deadline += (request.content_length or 0) / LEAST_RATE
    while True:
        left_s = deadline - asyncio.get_running_loop().time()
        try:
            piece = await asyncio.wait_for(
                request.content.readany(), max(min(PAUSE_TIMEOUT_S, left_s), 0.001)
            )
        except (TimeoutError, asyncio.TimeoutError):
            raise TooSlow("the body does not come in time") from None
        except (web.RequestPayloadError, ContentTypeError) as error:
            raise Refused(f"the body cannot be read ({type(error).__name__})") from None
        if not piece and request.content.at_eof():
            return bytes(body)
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"expected at most {MAX_BODY_BYTES} bytes without compression; got more")
