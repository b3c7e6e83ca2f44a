"""The suite started in the background, where a shell has children ignore Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

from asr_server.places import ROOT

CTRL_C_TEST = "tests/run/test_background.py::test_ctrl_c_reaches_those_that_the_suite_starts"


def test_ctrl_c_is_tested_all_the_same():
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", CTRL_C_TEST]
    ignoring = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # `nohup make test &` does it so
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", ignoring, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout


def test_ctrl_c_reaches_those_that_the_suite_starts():
    program = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "True\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
