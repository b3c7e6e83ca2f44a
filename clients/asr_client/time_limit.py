"""Awaits something for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class GivenUp(Exception):
    """What was awaited was given up before its time, because something else had happened."""


async def within(
    timeout_s: float, awaitable: Awaitable[T], *, unless: asyncio.Future[None] | None = None
) -> T:
    """Await for at most `timeout_s` seconds; what is given up, in any way, is cancelled.

    As `asyncio.wait_for`, which before Python 3.12 forgets that it was cancelled if what it waits
    for ends at that moment: whoever cancelled then waits for a task that goes on.

    Args:
        timeout_s: in seconds.
        awaitable: what to wait for.
        unless: ends the waiting, too, and what was awaited does not count then.

    Raises:
        TimeoutError: it took longer.
        GivenUp: `unless` was done.
    """
    task = asyncio.ensure_future(awaitable)
    either: set[asyncio.Future[Any]] = {task} if unless is None else {task, unless}
    try:
        await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if unless is not None and unless.done():
            raise GivenUp
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # it lets go of what it holds
        elif not task.cancelled():
            task.exception()  # asyncio would log one that nobody has looked at
