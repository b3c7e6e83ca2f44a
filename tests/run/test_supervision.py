"""What is started anew, when, and for how long; with small programs in place of a server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import pytest

from asr_server.places import ROOT
from asr_server.run import supervision
from asr_server.run.parts import ProcessPart
from asr_server.run.supervision import serve

END_S = 60


class Program(ProcessPart):
    """A Python program as a part: it says that it is ready by a line."""

    def __init__(self, code: str, say=lambda line: None, words: Sequence[str] = ()) -> None:
        super().__init__("the program", [], say=say)
        self._command = [self._command[0], "-u", "-c", code, *words]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


@pytest.fixture
def supervised():
    """Supervises in a thread; the lines that it reports, and how to end it."""
    started = []

    def run(part):
        stop, lines, status = threading.Event(), [], []
        thread = threading.Thread(
            target=lambda: status.append(serve([part], ["address"], stop, lines.append))
        )
        thread.start()
        started.append((thread, stop))
        return lines, stop, thread, status

    yield run
    for thread, stop in started:
        stop.set()
        thread.join(END_S)
        assert not thread.is_alive()


def wait_for(condition) -> None:
    deadline = time.monotonic() + END_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


RUNS = "import time; print('up'); time.sleep(600)"


def test_it_is_started_anew_and_said_once(supervised):
    part = Program(RUNS)
    lines, stop, thread, status = supervised(part)
    wait_for(lambda: lines[-1:] == ["ready; Ctrl-C stops"])
    first = part.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: "ready again" in lines[-1])
    assert part.pid != first
    assert lines[2] == "the program ended with status -9; starting it anew"
    assert len(lines) == 4
    stop.set()
    thread.join(END_S)
    assert status == [0]
    assert not part.is_running()


def test_one_that_never_starts_ends_it(supervised):
    lines, _, thread, status = supervised(Program("raise SystemExit(3)"))
    thread.join(END_S)
    assert status == [1]
    assert lines == ["the program ended with status 3"]


CRASHES = """
import os, pathlib, signal, sys, time
starts = pathlib.Path(sys.argv[1])
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
if len(starts.read_text()) <= int(sys.argv[2]):
    os.kill(os.getpid(), signal.SIGABRT)
print("up"); time.sleep(600)
"""


def test_a_first_start_that_crashes_is_tried_again(supervised, tmp_path):
    lines, *_ = supervised(Program(CRASHES, words=[str(tmp_path / "starts"), "2"]))
    wait_for(lambda: lines[-1:] == ["ready; Ctrl-C stops"])
    crashed = "the program ended with status -6; starting it anew"
    assert lines == [crashed, crashed, "address", "ready; Ctrl-C stops"]


def test_a_first_start_that_always_crashes_ends_it(supervised, tmp_path):
    lines, _, thread, status = supervised(Program(CRASHES, words=[str(tmp_path / "starts"), "9"]))
    thread.join(END_S)
    assert status == [1]
    assert lines[-1] == "the program ended with status -6"
    assert len(lines) == supervision.FIRST_STARTS


def test_one_that_dies_again_and_again_is_given_up(supervised, monkeypatch):
    monkeypatch.setattr(supervision, "PAUSES_S", (0.0, 0.01, 0.02))
    lines, _, thread, status = supervised(Program("import time; print('up'); time.sleep(0.3)"))
    thread.join(END_S)
    assert status == [1]
    assert sum("starting it anew" in line for line in lines) == 3
    assert lines[-1] == f"the program died 4 times without living for {supervision.STEADY_S:g} s"


def test_it_stops_while_it_starts(supervised):
    lines, stop, thread, status = supervised(Program("import time; time.sleep(600)"))
    time.sleep(0.3)
    stop.set()
    thread.join(10)
    assert status == [0]
    assert lines == []


def test_its_lines_come_whole_and_in_order(supervised):
    said = []
    lines, _, _, _ = supervised(
        Program("print('one\\ntwo\\nthree'); import time; time.sleep(600)", said.append)
    )
    wait_for(lambda: lines[-1:] == ["ready; Ctrl-C stops"])
    wait_for(lambda: len(said) == 3)
    assert said == ["one", "two", "three"]


UNREAD = """
import os, signal, sys, threading
from asr_server.commands.output import patient_lines
from asr_server.run.supervision import serve
from tests.run.test_supervision import RUNS, Program

os.set_blocking(1, False)
try:
    while True:
        os.write(1, b"x" * 65536)
except BlockingIOError:
    os.set_blocking(1, True)  # full: whoever prints now waits
part, stop, printed = Program(RUNS), threading.Event(), patient_lines()

def report(line):
    printed.put(line)
    print(line, file=sys.stderr, flush=True)
    if line.startswith("ready"):
        os.kill(part.pid, signal.SIGKILL)
    if "ready again" in line:
        stop.set()

serve([part], ["address"], stop, report)
printed.flush()
"""


def test_output_that_nobody_reads_stops_nothing():
    """A terminal that is held, or a pipe that is left, must not keep what died from its start."""
    with subprocess.Popen(
        [sys.executable, "-c", UNREAD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stderr is not None
        reported = process.stderr.read().splitlines()
        assert process.wait(END_S) == 0
    assert "the program ended with status -9; starting it anew" in reported
    assert reported[-1].startswith("the program is ready again")
