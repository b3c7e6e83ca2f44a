"""Several runs of one session at a time.

Triton calls an instance's `execute` for one batch after the other. On a CPU one run seldom keeps
all cores busy, and a second instance would be a second process with weights of its own. So
`execute` hands its batch to a worker and returns; it waits only while all workers are busy, which
leaves further requests in Triton's queue, where they can be batched.
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
        count: how many, at least 1.
    """

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="onnxruntime")
        self._running = 0
        self._counting = threading.Lock()

    def submit(self, work: Callable[[bool], None]) -> None:
        """Start `work`, which must not raise, as soon as a worker is free; return when started.

        It is told whether it is alone when it starts.
        """
        self._free.acquire()

        def run() -> None:
            with self._counting:
                self._running += 1
                alone = self._running == 1
            try:
                work(alone)
            finally:
                with self._counting:
                    self._running -= 1
                self._free.release()

        self._pool.submit(run)

    def close(self) -> None:
        """Wait until all started work is done."""
        self._pool.shutdown(wait=True)
