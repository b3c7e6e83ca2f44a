"""Awaits something for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(timeout_s: float, awaitable: Awaitable[T]) -> T:
    """Await for at most `timeout_s` seconds; what is given up, in any way, is cancelled.

    As `asyncio.wait_for`, which before Python 3.12 forgets that it was cancelled if what it waits
    for ends at that moment: whoever cancelled then waits for a task that goes on.

    Raises:
        TimeoutError: it took longer.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
