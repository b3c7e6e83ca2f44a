"""When a server is taken to wait for a process that has died."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from asr_server.run.late_stubs import LateStubs

LOOKS = 30
WITH_A_DEAD_CHILD = (
    "import os, sys\n"
    "child = os.fork() or os._exit(0)\n"
    "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\n"
    "print(flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def server():
    with subprocess.Popen(
        [sys.executable, "-c", WITH_A_DEAD_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


def test_a_dead_one_counts_when_nothing_is_loaded_meanwhile(server):
    late = LateStubs()
    looks = [late.look(server, Counter(vad=1)) for _ in range(LOOKS)]
    assert looks[0]
    assert not looks[-1]


def test_while_models_are_loaded_nothing_stands_still(server):
    """A process that died by itself may stay unnoticed by Triton until its model goes."""
    late = LateStubs()
    assert all(late.look(server, Counter(vad=1 + number // 10)) for number in range(3 * LOOKS))
