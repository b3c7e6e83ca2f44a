"""Several runs of one session at a time.

Triton calls an instance's `execute` for one batch after the other. On a CPU one run seldom keeps
all cores busy, and a second instance would be a second process with weights of its own. So
`execute` hands its batch to a worker and returns. A worker's place is free again when the run is
over: its answers are sent while the next batch runs already.

Triton forms a batch when `execute` has returned. On a CPU a batch is taken while all places are
taken, so that no core waits for it. On a GPU that would split what could be one run: there
`execute` returns when a place is free.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ort_providers import is_gpu


def default_runs(kind: str) -> int:
    """Return how many runs an instance does at a time: one per core on a CPU, one on a GPU.

    Args:
        kind: the instance's, as Triton passes it.
    """
    return 1 if is_gpu(kind) else len(os.sched_getaffinity(0))


def threads_beside_others(runs: int) -> int:
    """Return the threads for each of `runs` runs at a time, which share the cores; at least 1."""
    return max(len(os.sched_getaffinity(0)) // runs, 1)


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
