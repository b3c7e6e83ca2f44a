"""Open sequences: the limit, the idle timeout, and what a lost one is told."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from asr_core.sequences import Reaper, SessionPlaces, SessionTable
from asr_core.sequences.sessions import SessionLimitError, UnknownSessionError


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_limit_refuses_the_new_and_keeps_the_old():
    table = SessionTable[str](2, 10.0, Clock())
    table.open(1, "first")
    table.open("two", "second")
    with pytest.raises(SessionLimitError, match="at most 2 open sessions"):
        table.open(3, "third")
    assert (table.get(1), table.get("two")) == ("first", "second")


def test_reused_key_begins_anew_even_at_the_limit():
    table = SessionTable[str](1, 10.0, Clock())
    table.open(1, "old")
    table.open(1, "new")
    assert table.get(1) == "new"


def test_idle_sessions_make_room_and_used_ones_stay():
    clock = Clock()
    table = SessionTable[str](2, 10.0, clock)
    table.open(1, "idle")
    table.open(2, "used")
    clock.now_s = 6.0
    table.get(2)
    clock.now_s = 11.0
    table.open(3, "new")
    assert table.get(2) == "used"
    with pytest.raises(UnknownSessionError, match="no state for sequence 1"):
        table.get(1)


def test_the_idlest_makes_way_when_there_is_no_room_and_is_told():
    clock = Clock()
    table = SessionTable[str](3, 60.0, clock)
    for key in (1, 2, 3):
        table.open(key, "abandoned")
        clock.now_s += 1
    table.get(1)  # so 2 is the idlest
    clock.now_s = 10.9
    with pytest.raises(SessionLimitError):
        table.open(4, "new")
    clock.now_s = 11.5
    table.open(4, "new")
    assert (table.get(1), table.get(3), table.get(4)) == ("abandoned", "abandoned", "new")
    with pytest.raises(UnknownSessionError, match=r"sequence 2: it was idle for 1\d s when 3 were"):
        table.get(2)
    clock.now_s = 15
    with pytest.raises(SessionLimitError):  # all were used just now
        table.open(2, "again")
    table.close(4)
    table.open(2, "again")
    assert table.get(2) == "again"


def test_an_idle_session_makes_way_for_one_of_another_process():
    clock, places = Clock(), SessionPlaces(2)
    ours = SessionTable[str](2, 60.0, clock, places)
    others = SessionTable[str](2, 60.0, clock, places)
    ours.open(1, "abandoned")
    clock.now_s = 1
    ours.open(2, "abandoned")
    clock.now_s = 10.5
    with pytest.raises(SessionLimitError):  # none of theirs could make way
        others.open(3, "new")
    assert ours.expire() == 1
    assert ours.expire() == 1  # there is room now
    others.open(3, "new")
    with pytest.raises(UnknownSessionError, match="made way for a new one"):
        ours.get(1)
    assert ours.get(2) == "abandoned"
    assert ours.expire() == 1  # which was used just now


def test_a_session_that_is_used_now_and_then_never_makes_way():
    clock = Clock()
    table = SessionTable[str](10, 60.0, clock)
    table.open("pausing", "state")
    opened = 0
    for second in range(300):
        clock.now_s = float(second)
        if second % 3 == 0:
            table.get("pausing")
        for attempt in range(50):
            try:
                table.open((second, attempt), "abandoned")
                opened += 1
            except SessionLimitError:
                break
    assert table.get("pausing") == "state"
    assert opened > 200  # and others find room all the time


def test_closing_frees_and_may_be_repeated():
    table = SessionTable[str](1, 10.0, Clock())
    table.open(1, "first")
    table.close(1)
    table.close(1)
    table.open(2, "second")
    assert len(table) == 1


def test_no_limit():
    table = SessionTable[int](0, 10.0, Clock())
    for key in range(100):
        table.open(key, key)
    assert len(table) == 100


def test_reaper_works_until_stopped():
    worked = threading.Event()
    reaper = Reaper(worked.set, 0.001)
    assert worked.wait(60)
    reaper.stop()
    worked.clear()
    assert not worked.wait(0.05)


def test_processes_share_the_limit_and_one_that_dies_leaves_its_places(tmp_path):
    """Three places, two of them taken by another process until it is killed."""
    program = (
        "import sys; from pathlib import Path; from asr_core.sequences import SessionPlaces\n"
        "places = SessionPlaces(3, Path(sys.argv[1]))\n"
        "print(places.take(), places.take(), flush=True); sys.stdin.read()"
    )
    file = tmp_path / "places"
    command = [sys.executable, "-c", program, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"0 1\n"
        table = SessionTable[str](3, 10.0, Clock(), SessionPlaces(3, file))
        table.open(1, "first")
        with pytest.raises(SessionLimitError, match="at most 3 open sessions"):
            table.open(2, "second")
        table.close(1)
        table.open(2, "second")
        other.kill()
    table.open(3, "third")
    table.open(4, "fourth")
    with pytest.raises(SessionLimitError):
        table.open(5, "fifth")
