"""Work done side by side: threads here, or what else has the same shape."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemOf = TypeVar("ItemOf", contravariant=True)

TURN_S = 1.0  # for so long `wait` waits at most, then `run_all` calls `look_about`


class Crew(Protocol[ItemOf, Result]):
    """Those who do the work; what they are given and what they return is plain data."""

    @property
    def has_room(self) -> bool:
        """Whether one more may be begun."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""

    def begin(self, item: ItemOf) -> None:
        """Begin with one; only where there is room."""

    def wait(self) -> list[Result]:
        """Return what ended, after `TURN_S` at the latest, or raise what ends the whole run."""


class Threads(Generic[Item, Result]):
    """Does the work in threads of this process.

    Args:
        work: what is done with an item.
        count: at a time.
    """

    def __init__(self, work: Callable[[Item], Result], count: int) -> None:
        self._work = work
        self._count = count
        self._running: set[Future[Result]] = set()
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="triton-asr-file")

    @property
    def has_room(self) -> bool:
        """Whether one more may be begun."""
        return len(self._running) < self._count

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._running

    def begin(self, item: Item) -> None:
        """Begin with one."""
        self._running.add(self._pool.submit(self._work, item))

    def wait(self) -> list[Result]:
        """Return what ended, or raise what one raised."""
        done, self._running = wait(self._running, TURN_S, return_when=FIRST_COMPLETED)
        return [future.result() for future in done]

    def close(self) -> None:
        """Begin nothing more.

        After Ctrl-C nobody waits for what is under way; closing the client ends it.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)


def run_all(
    crew: Crew[Item, Result],
    take: Callable[[], Item | None],
    settle: Callable[[Result], None],
    look_about: Callable[[], None] = lambda: None,
) -> None:
    """Have all done, as many at a time as there is room for.

    Args:
        crew: those who do it.
        take: returns the next item; None while there is none.
        settle: is given each result, in this thread; it may make `take` return more.
        look_about: is called now and then, and after each result.

    Raises:
        Exception: the first that the work or `settle` raises; nothing more is begun then.
    """
    while True:
        while crew.has_room:
            item = take()
            if item is None:
                if crew.is_idle:
                    return
                break
            crew.begin(item)
        for result in crew.wait():
            settle(result)
        look_about()
