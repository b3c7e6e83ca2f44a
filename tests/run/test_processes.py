"""A program that is bound to its starter ends with that process, and not before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import psutil
import pytest

from asr_server.run.processes import start_bound

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STARTER = f"""
import threading
from asr_server.run.processes import start_bound
started = []
thread = threading.Thread(target=lambda: started.append(start_bound({SLEEP!r})))
thread.start()
thread.join()
print(started[0].pid, flush=True)
input()
"""
PRINT_CORES = "import json, os; print(json.dumps(list(os.sched_getaffinity(0))))"
PATIENCE_S = 60


def test_it_outlives_the_thread_that_asked_for_it():
    started: list[subprocess.Popen] = []
    thread = threading.Thread(target=lambda: started.append(start_bound(SLEEP)))
    thread.start()
    thread.join()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            started[0].wait(1.0)
    finally:
        started[0].kill()
        started[0].wait()


def test_it_may_use_the_cores_of_the_thread_that_asked_for_it():
    start_bound([sys.executable, "-c", ""]).wait(PATIENCE_S)  # the thread that starts is there
    allowed: dict[int, set[int]] = {}

    def ask(core: int) -> None:
        os.sched_setaffinity(0, {core})  # of this thread
        process = start_bound([sys.executable, "-c", PRINT_CORES], stdout=subprocess.PIPE)
        allowed[core] = set(json.loads(process.communicate(timeout=PATIENCE_S)[0]))

    for core in os.sched_getaffinity(0):
        thread = threading.Thread(target=ask, args=(core,))
        thread.start()
        thread.join()
    assert allowed == {core: {core} for core in os.sched_getaffinity(0)}


@pytest.mark.parametrize("end", [subprocess.Popen.kill, lambda starter: starter.communicate("\n")])
def test_it_ends_with_the_process_that_started_it(end):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    bound = psutil.Process(int(starter.stdout.readline()))
    assert bound.is_running()
    end(starter)
    starter.communicate()
    psutil.wait_procs([bound], timeout=PATIENCE_S)
    assert not bound.is_running() or bound.status() == psutil.STATUS_ZOMBIE


def test_what_cannot_be_started_is_said():
    with pytest.raises(FileNotFoundError):
        start_bound(SLEEP, cwd="/nowhere")
