"""Looks after the sequences of sessions: kept while they pause, ended when they are dropped.

What runs here refers to a session weakly. A strong reference would keep one for ever that its
owner has dropped, and its place on the server with it.
"""

from __future__ import annotations

import asyncio
import weakref
from contextlib import suppress
from typing import Protocol, TypeVar

from ..errors import AsrError
from ..streaming.protocol import CLOSE_TIMEOUT_S, KEEP_ALIVE_S, SequenceRequests
from ..transport import RequestStream, Transport


class Pausing(Protocol):
    """A session that may pause."""

    def keep_alive(self) -> bool:
        """Send a request without audio if nothing else was sent; returns whether to go on."""


Session = TypeVar("Session", bound=Pausing)


async def keep_alive(session: weakref.ref[Session]) -> None:
    """Keep a session until it has ended, or nobody refers to it."""
    while True:
        await asyncio.sleep(KEEP_ALIVE_S)
        pausing = session()
        if pausing is None or not pausing.keep_alive():
            return
        del pausing


def end_when_dropped(
    session: object, transport: Transport, stream: RequestStream, requests: SequenceRequests
) -> weakref.finalize[..., object]:
    """End a session's sequence when it is garbage, in whatever thread that is found.

    Returns:
        what to `detach` when the session sees to it itself.
    """
    loop = asyncio.get_running_loop()
    ending = weakref.finalize(session, _end_soon, loop, transport, stream, requests)
    ending.atexit = False  # the loop does not run any more then; a client closes its sessions
    return ending


_ending: set[asyncio.Task[None]] = set()  # asyncio holds tasks weakly


def _end_soon(
    loop: asyncio.AbstractEventLoop,
    transport: Transport,
    stream: RequestStream,
    requests: SequenceRequests,
) -> None:
    def start() -> None:
        task = loop.create_task(_end(transport, stream, requests))
        _ending.add(task)
        task.add_done_callback(_ending.discard)

    with suppress(RuntimeError):  # the loop is closed, and the connection with it
        loop.call_soon_threadsafe(start)


async def _end(transport: Transport, stream: RequestStream, requests: SequenceRequests) -> None:
    await stream.close()
    with suppress(AsrError):
        await transport.infer(requests.end(), CLOSE_TIMEOUT_S)
