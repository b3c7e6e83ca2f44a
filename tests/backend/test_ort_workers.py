"""Runs at a time: who is alone, when a place is free, when the next batch may be taken."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

from ort_workers import Turns, Workers

WAIT_S = 60


class Run:
    """A run that ends, and whose answers are sent, when the test says so."""

    def __init__(self) -> None:
        self.begun, self.end = threading.Event(), threading.Event()
        self.answering, self.answer = threading.Event(), threading.Event()
        self.alone: bool | None = None

    def __call__(self, alone: bool) -> Callable[[], None]:
        self.alone = alone
        self.begun.set()
        assert self.end.wait(WAIT_S)
        return self._send

    def _send(self) -> None:
        self.answering.set()
        assert self.answer.wait(WAIT_S)


def submitted(workers: Workers, run: Run) -> threading.Event:
    """Submit in a thread of its own; the event says that it has returned."""
    returned = threading.Event()
    threading.Thread(target=lambda: (workers.submit(run), returned.set()), daemon=True).start()
    return returned


def finish(workers: Workers, *runs: Run) -> None:
    for run in runs:
        run.end.set()
        run.answer.set()
    workers.close()


class NoRoomError(Exception):
    pass


def no_room() -> int:
    raise NoRoomError


def in_thread(turns: Turns, work: Callable[[], int], results: list[object]) -> threading.Thread:
    def run() -> None:
        try:
            results.append(turns.run(work, lambda error: isinstance(error, NoRoomError)))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def occupied(turns: Turns, results: list[object]) -> tuple[threading.Event, threading.Thread]:
    """Begin a run that ends, with 1, when the event is set."""
    held, told = threading.Event(), threading.Event()

    def run() -> int:
        told.set()
        assert held.wait(WAIT_S)
        return 1

    thread = in_thread(turns, run, results)
    assert told.wait(WAIT_S)
    return held, thread


def test_a_run_that_fails_beside_others_is_done_again_when_they_are_done():
    turns, results = Turns(), []
    held, first = occupied(turns, results)
    second = in_thread(turns, lambda: 2 if held.is_set() else no_room(), results)
    second.join(0.1)
    assert second.is_alive()  # it failed, and waits for the first to end
    held.set()
    first.join(WAIT_S)
    second.join(WAIT_S)
    assert sorted(results) == [1, 2]


def test_who_waits_for_the_device_is_not_overtaken():
    turns, results = Turns(), []
    held, first = occupied(turns, results)
    threads = [first]
    for work in (no_room, lambda: 3):
        threads.append(in_thread(turns, work, results))
        threads[-1].join(0.1)
        assert threads[-1].is_alive()
    held.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(one for one in results if isinstance(one, int)) == [1, 3]
    assert [type(one) for one in results if isinstance(one, Exception)] == [NoRoomError]
    assert turns.run(lambda: 4, lambda _: False) == 4  # the device is free again


def test_an_error_that_is_not_of_the_others_is_told_at_once():
    turns, calls = Turns(), []

    def wrong() -> int:
        calls.append(1)
        raise ValueError

    with pytest.raises(ValueError):
        turns.run(wrong, lambda error: isinstance(error, NoRoomError))
    assert calls == [1]


def test_a_run_is_told_whether_it_is_alone():
    workers, first, second, third = Workers(2), Run(), Run(), Run()
    workers.submit(first)
    assert first.begun.wait(WAIT_S)
    workers.submit(second)
    assert second.begun.wait(WAIT_S)
    for run in (first, second):
        run.end.set()
        assert run.answering.wait(WAIT_S)
    workers.submit(third)
    assert third.begun.wait(WAIT_S)
    finish(workers, first, second, third)
    assert [run.alone for run in (first, second, third)] == [True, False, True]


@pytest.mark.parametrize("ahead", [True, False])
def test_the_next_run_begins_while_the_answers_of_the_last_are_sent(ahead):
    workers, first, second = Workers(1, ahead), Run(), Run()
    submitted(workers, first)
    assert first.begun.wait(WAIT_S)
    first.end.set()
    assert first.answering.wait(WAIT_S)
    submitted(workers, second)
    assert second.begun.wait(WAIT_S)
    finish(workers, first, second)


@pytest.mark.parametrize("ahead", [True, False])
def test_a_batch_is_taken_ahead_or_when_it_can_run(ahead):
    """What is not yet taken is in Triton's queue, where it can be joined."""
    workers, first, second = Workers(1, ahead), Run(), Run()
    taken = submitted(workers, first)
    assert first.begun.wait(WAIT_S)
    if ahead:
        assert taken.wait(WAIT_S)
        waiting = submitted(workers, second)
        assert not waiting.wait(0.1)
        first.end.set()
        assert waiting.wait(WAIT_S)
    else:
        assert not taken.wait(0.1)
        first.end.set()
        assert taken.wait(WAIT_S)
    finish(workers, first, second)
