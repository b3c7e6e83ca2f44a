"""Requests of sequences, shared out over worker threads as these become free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Job = TypeVar("Job")


class SequenceDispatcher(Generic[Job]):
    """Lets several workers take what waits, in batches, but never two jobs of one sequence at once.

    A worker that becomes free takes its share, an equal part of what waits and what the others are
    at. So batches grow with the load, those of all workers are of one size, and no core idles while
    there is work. (If it took all that waits, the batches of two workers would drift apart, and a
    large one is a long wait for all in it.) The jobs of a sequence keep their order.

    Args:
        work: gets jobs of different sequences; an exception ends its worker.
        workers: threads.
        max_cost: of a batch, but for a job that alone costs more.
        cost: of a job, in units that take about equally long; 0 needs no worker.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], None],
        workers: int,
        max_cost: int,
        cost: Callable[[Job], int] = lambda _: 1,
    ) -> None:
        self._work = work
        self._workers = workers
        self._max_cost = max_cost
        self._cost = cost
        self._waiting: dict[Hashable, deque[Job]] = {}  # sequences no worker is at, oldest first
        self._busy: dict[Hashable, deque[Job]] = {}  # the others, and what came meanwhile
        self._busy_cost = 0
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
            try:
                self._work(jobs)
            finally:
                self._give_back([key for key, _ in batch], sum(map(self._cost, jobs)))

    def _take(self) -> list[tuple[Hashable, Job]]:
        """Wait for work and take a share of it; empty when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or (self._closed and not self._busy))
            batch: list[tuple[Hashable, Job]] = []
            waiting_cost = sum(self._cost(queue[0]) for queue in self._waiting.values())
            left = min((waiting_cost + self._busy_cost) // self._workers, self._max_cost)
            for key, queue in [*self._waiting.items()]:
                cost = self._cost(queue[0])
                if batch and cost > left:
                    break
                left -= cost
                self._busy_cost += cost
                batch.append((key, queue.popleft()))
                self._busy[key] = self._waiting.pop(key)
            return batch

    def _give_back(self, keys: Sequence[Hashable], cost: int) -> None:
        """Let the sequences of a batch wait again if more of them has come."""
        with self._changed:
            self._busy_cost -= cost
            for key in keys:
                if queue := self._busy.pop(key):
                    self._waiting[key] = queue
            self._changed.notify_all()
