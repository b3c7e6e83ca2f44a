"""Several runs of one session at a time.

Triton calls an instance's `execute` for one batch after the other. On a CPU one run seldom keeps
all cores busy, and a second instance would be a second process with weights of its own. So
`execute` hands its batch to a worker and returns. A worker's place is free again when the run is
over: its answers are sent while the next batch runs already.

Triton forms a batch when `execute` has returned. On a CPU a batch is taken while all places are
taken, so that no core waits for it. On a GPU that would split what could be one run: there
`execute` returns when a place is free. Two runs at a time keep a GPU busy while one of them is
laid out, launched or split up by the CPU: SenseVoice in float16 on an H200, 64 rows a run, 5,260 s
of audio per second with one and 6,840 with two, 7,010 with three (the session alone, without
Triton).

What memory a run finds depends on those beside it. So a run that fails beside others is done again
with the device to itself before it counts as failed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ort_cores import usable_cores
from ort_providers import is_gpu
from ort_settings import Settings

Result = TypeVar("Result")


def runs_at_a_time(settings: Settings, kind: str) -> int:
    """Return how many runs an instance does at a time.

    Args:
        settings: of the model.
        kind: the instance's, as Triton passes it.
    """
    if is_gpu(kind):
        return settings.concurrent_runs_on_gpu
    return settings.concurrent_runs or usable_cores()


def threads_beside_others(runs: int) -> int:
    """Return the threads for each of `runs` runs at a time, which share the cores; at least 1."""
    return max(usable_cores() // runs, 1)


class Turns:
    """Runs share a device, or one has it to itself."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shared = 0
        self._waiting = 0  # for the device to themselves; nobody else starts meanwhile
        self._taken = False

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Have the device together with others."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken and not self._waiting)
            self._shared += 1
        try:
            yield
        finally:
            with self._changed:
                self._shared -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Have the device to itself, when those are done that have it now."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: not self._taken and not self._shared)
            self._waiting -= 1
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()

    def run(self, work: Callable[[], Result], may_repeat: Callable[[Exception], bool]) -> Result:
        """Do a piece of work beside others, and where that fails again alone.

        Args:
            work: the piece.
            may_repeat: whether an error can be one of those beside it.

        Raises:
            Exception: what `work` raises.
        """
        try:
            with self.beside_others():
                return work()
        except Exception as error:
            if not may_repeat(error):
                raise
        with self.alone():
            return work()


class Workers:
    """Threads that each run one batch at a time.

    Args:
        count: of runs at a time, at least 1.
        ahead: whether a batch is taken while all places are taken.
    """

    def __init__(self, count: int, ahead: bool = True) -> None:
        self._free = threading.Semaphore(count)
        self._ahead = ahead
        self._pool = ThreadPoolExecutor(2 * count, thread_name_prefix="onnxruntime")
        self._running = 0
        self._counting = threading.Lock()

    def submit(self, work: Callable[[bool], Callable[[], None]]) -> None:
        """Start `work` as soon as a place is free; return when the next may be taken.

        Neither it nor what it returns must raise.

        Args:
            work: is told whether it is alone when it starts; what it returns is called when its
                place is another's.
        """
        self._free.acquire()

        def run() -> None:
            with self._counting:
                self._running += 1
                alone = self._running == 1
            try:
                rest = work(alone)
            finally:
                with self._counting:
                    self._running -= 1
                self._free.release()
            rest()

        self._pool.submit(run)
        if not self._ahead:
            self._free.acquire()
            self._free.release()

    def close(self) -> None:
        """Wait until all started work is done."""
        self._pool.shutdown(wait=True)
