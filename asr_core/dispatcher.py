"""Requests of sequences, shared out over worker threads as these become free."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from asr_core.batch_limit import BatchLimit

Job = TypeVar("Job")


class SequenceDispatcher(Generic[Job]):
    """Lets several workers take what waits, in batches, but never two jobs of one sequence at once.

    A worker that becomes free takes its share of the sequences that wait, so that no core idles
    while there is work and batches grow with the load, up to what takes `batch_s`. The jobs of a
    sequence keep their order.

    Args:
        work: gets at most `max_jobs` jobs of different sequences; an exception ends its worker.
        workers: threads.
        max_jobs: largest batch.
        batch_s: how long a batch should take; beyond that the others wait for the next worker.
        cost: of a job, in units that take about equally long; 0 needs no worker.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], None],
        workers: int,
        max_jobs: int,
        batch_s: float = float("inf"),
        cost: Callable[[Job], int] = lambda _: 1,
    ) -> None:
        self._work = work
        self._max_jobs = max_jobs
        self._limit = BatchLimit(batch_s, max_jobs)
        self._cost = cost
        self._waiting: dict[Hashable, deque[Job]] = {}  # sequences no worker is at, oldest first
        self._busy: dict[Hashable, deque[Job]] = {}  # the others, and what came meanwhile
        self._idle_workers = workers
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"worker {index}", daemon=True)
            for index in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, jobs: Sequence[tuple[Hashable, Job]]) -> None:
        """Let jobs be done; each comes with the key of its sequence.

        What costs nothing is done before this returns, unless it has to wait for its sequence.
        """
        at_once = []
        with self._changed:
            queued = {*self._waiting, *self._busy}
            later = []
            for key, job in jobs:
                if self._cost(job) or key in queued:
                    queued.add(key)
                    later.append((key, job))
                else:
                    at_once.append(job)
        if at_once:
            self._work(at_once)
        with self._changed:
            for key, job in later:
                queues = self._busy if key in self._busy else self._waiting
                queues.setdefault(key, deque()).append(job)
            self._changed.notify_all()

    def close(self) -> None:
        """Wait until all is done and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while batch := self._take():
            jobs = [job for _, job in batch]
            begun = time.perf_counter()
            try:
                self._work(jobs)
            finally:
                spent_s = time.perf_counter() - begun
                self._give_back([key for key, _ in batch], sum(map(self._cost, jobs)), spent_s)

    def _take(self) -> list[tuple[Hashable, Job]]:
        """Wait for work and take a share of it; empty when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or (self._closed and not self._busy))
            share = min(-(-len(self._waiting) // self._idle_workers), self._max_jobs)
            batch: list[tuple[Hashable, Job]] = []
            left = self._limit.items
            for key in [*self._waiting][:share]:
                left -= self._cost(self._waiting[key][0])
                if batch and left < 0:
                    break
                self._busy[key] = self._waiting.pop(key)
                batch.append((key, self._busy[key].popleft()))
            self._idle_workers -= bool(batch)
            return batch

    def _give_back(self, keys: Sequence[Hashable], cost: int, seconds: float) -> None:
        """Let the sequences of a batch wait again if more of them has come."""
        with self._changed:
            if cost:
                self._limit.observe(cost, seconds)
            self._idle_workers += 1
            for key in keys:
                if queue := self._busy.pop(key):
                    self._waiting[key] = queue
            self._changed.notify_all()
