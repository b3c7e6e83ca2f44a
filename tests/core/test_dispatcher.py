"""Jobs of sequences: all done once, in order, never two of one sequence at a time."""

from __future__ import annotations

import random
import threading

import pytest

from asr_core.sequences import SequenceDispatcher


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_is_done_once_in_order_and_alone_in_its_sequence(workers):
    done: dict[int, list[int]] = {key: [] for key in range(10)}
    busy: set[int] = set()
    violations: list[list[tuple[int, int]]] = []
    largest = 0

    def work(jobs):
        nonlocal largest
        keys = {key for key, _ in jobs}
        if not len(keys) == len(jobs) <= 4 or keys & busy:
            violations.append(jobs)  # an exception would only end the worker
        busy.update(keys)
        largest = max(largest, len(jobs))
        for key, number in jobs:
            done[key].append(number)
        busy.difference_update(keys)

    dispatcher = SequenceDispatcher(work, workers, max_cost=4)
    rng = random.Random(workers)
    jobs = [(key, (key, number)) for key in done for number in range(50)]
    jobs.sort(key=lambda job: (job[1][1], rng.random()))
    while jobs:
        count = rng.randrange(1, 20)
        dispatcher.submit(jobs[:count])
        del jobs[:count]
    dispatcher.close()
    assert not violations
    assert done == {key: list(range(50)) for key in range(10)}
    assert largest > 1


def test_a_worker_at_work_holds_up_no_other_sequence():
    release, reached = threading.Event(), threading.Event()

    def work(jobs):
        for job in jobs:
            if job == "slow":
                release.wait(60)
            else:
                reached.set()

    dispatcher = SequenceDispatcher(work, 2, max_cost=4)
    dispatcher.submit([(1, "slow")])
    dispatcher.submit([(2, "quick")])
    assert reached.wait(60)
    release.set()
    dispatcher.close()


def test_waiting_sequences_are_shared_out():
    """Two free workers take half each."""
    sizes = []
    both = threading.Barrier(2, timeout=60)

    def work(jobs):
        sizes.append(len(jobs))
        both.wait()

    dispatcher = SequenceDispatcher(work, 2, max_cost=8)
    dispatcher.submit([(key, key) for key in range(6)])
    dispatcher.close()
    assert sizes == [3, 3]


def test_a_free_worker_leaves_the_other_as_much_as_it_takes():
    """Of 8 that wait while the other is at 4 it takes 6."""
    sizes = []
    under_way = threading.Semaphore(0)
    released = {0: threading.Event(), 4: threading.Event(), 8: threading.Event()}

    def work(jobs):
        sizes.append(len(jobs))
        under_way.release()
        for job in set(jobs) & released.keys():
            released[job].wait(60)

    dispatcher = SequenceDispatcher(work, 2, max_cost=64)
    dispatcher.submit([(key, key) for key in range(8)])
    assert under_way.acquire(timeout=60) and under_way.acquire(timeout=60)
    dispatcher.submit([(key, key) for key in range(8, 16)])
    released[4].set()
    assert under_way.acquire(timeout=60)
    released[0].set()
    released[8].set()
    dispatcher.close()
    assert sizes == [4, 4, 6, 2]


def test_a_batch_costs_no_more_than_it_may():
    """What costs too much for one batch is left to the next, and a large job goes alone."""
    batches = []
    reached, released = threading.Event(), threading.Event()

    def work(jobs):
        batches.append(list(jobs))
        reached.set()
        released.wait(60)

    dispatcher = SequenceDispatcher(work, 1, max_cost=3, cost=lambda job: job)
    dispatcher.submit([(0, 1)])  # keeps the worker busy until all the others wait
    assert reached.wait(60)
    dispatcher.submit([(key, cost) for key, cost in enumerate([2, 1, 2, 9, 1], start=1)])
    released.set()
    dispatcher.close()
    assert batches == [[1], [2, 1], [2], [9], [1]]


def test_what_costs_nothing_is_done_at_once_unless_its_sequence_is_busy():
    done = []
    reached, released = threading.Event(), threading.Event()

    def work(jobs):
        done.extend(jobs)
        if ("a", 1) in jobs:
            reached.set()
            released.wait(60)

    dispatcher = SequenceDispatcher(work, 1, max_cost=8, cost=lambda job: job[1])
    dispatcher.submit([("a", ("a", 1))])
    assert reached.wait(60)
    dispatcher.submit([("b", ("b", 1)), ("c", ("c", 0)), ("a", ("a", 0)), ("b", ("b", 0))])
    assert done == [("a", 1), ("c", 0)]
    released.set()
    dispatcher.close()
    assert sorted(done[2:]) == [("a", 0), ("b", 0), ("b", 1)]
    assert done.index(("b", 1)) < done.index(("b", 0))
