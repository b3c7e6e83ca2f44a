"""Ctrl-C and SIGTERM end our commands without a traceback, at any moment from the first on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asr_server.places import ROOT
from tests.client import misbehaving

STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143}

# Sends a signal to itself when a module is about to be imported, and runs a module as `-m` does.
_INTERRUPTED = """
import os, runpy, sys

class Moment:
    def find_spec(self, name, path=None, target=None):
        if name == {moment!r}:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Moment())
sys.argv = {arguments!r}
runpy.{run}({target!r}, run_name="__main__")
"""

CLIENT = ["asr_client", "models", "--url", "http://127.0.0.1:9"]
GATEWAY = ["asr_gateway", "--port", "0"]
SERVER = ["asr_server", "index"]


def interrupted(number: int, moment: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module, or a script, that is interrupted when it imports something."""
    target, *arguments = command
    code = _INTERRUPTED.format(
        moment=moment,
        number=int(number),
        arguments=[target, *arguments],
        run="run_path" if target.endswith(".py") else "run_module",
        target=target,
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("number", list(STATUSES))
@pytest.mark.parametrize(
    ("moment", "command"),
    [
        ("asr_contract", CLIENT),
        ("asr_client.cli", CLIENT),
        ("asr_client.cli.models", CLIENT),
        ("numpy", CLIENT),
        ("asr_contract", GATEWAY),
        ("uvicorn", GATEWAY),
        ("grpc", GATEWAY),
        ("asr_contract", SERVER),
        ("asr_server.commands.index", SERVER),
    ],
)
def test_a_command_that_is_imported_ends_at_once(number, moment, command):
    ended = interrupted(number, moment, *command)
    assert ended.returncode in (STATUSES[number], -number)  # the same for a shell
    assert ended.stdout + ended.stderr == ""


@pytest.mark.parametrize("demo", sorted((ROOT / "clients").glob("client_demo_*.py")))
@pytest.mark.parametrize("number", list(STATUSES))
def test_a_demonstration_that_is_imported_ends_at_once(number, demo):
    ended = interrupted(number, "numpy", str(demo), "x.wav")
    assert ended.returncode == -number
    assert ended.stdout + ended.stderr == ""


def test_what_is_ignored_stays_ignored():
    """As `nohup`, or `&` in a script, has it."""
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);" + _INTERRUPTED.format(
        moment="asr_client.cli",
        number=int(signal.SIGINT),
        arguments=["asr_client", "--version"],
        run="run_module",
        target="asr_client",
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("triton-asr ")


@pytest.mark.parametrize("words", ["install --help", "install list", "--help"])
def test_a_reader_that_leaves_is_no_crash(words):
    """As `| head`."""
    command = [sys.executable, "-m", "asr_server", *words.split()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=120) in (0, 1)  # argparse itself takes no notice
    assert process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("number", list(STATUSES))
@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.5])
def test_a_command_ends_without_a_traceback_at_any_time(number, after_s):
    """The server takes the connection and never answers."""
    with misbehaving.tcp_server(misbehaving.silent) as port:
        command = [sys.executable, "-m", "asr_client", "models", "--timeout", "3600"]
        url = f"http://127.0.0.1:{port}"
        process = subprocess.Popen([*command, "--url", url], stderr=subprocess.PIPE, text=True)
        time.sleep(after_s)
        process.send_signal(number)
        _, err = process.communicate(timeout=120)
    assert process.returncode in (STATUSES[number], -number)
    assert err in ("", "triton-asr: interrupted\n")


@pytest.mark.parametrize("number", list(STATUSES))
@pytest.mark.parametrize("after_s", [0.5, 1.0, 1.5, 2.0])
def test_a_gateway_ends_in_good_order_at_any_time(number, after_s):
    command = [sys.executable, "-m", "asr_gateway", "--port", "0", "--log-text"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(os.devnull).parent,
    )
    time.sleep(after_s)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, STATUSES[number], -number)
    assert all(line.startswith("{") for line in err.splitlines()), err


@pytest.mark.parametrize("number", list(STATUSES))
def test_a_signal_just_before_a_gateway_listens_is_not_lost(number):
    ended = interrupted(number, "uvicorn.loops", *GATEWAY)
    assert ended.returncode == 0
    assert all(line.startswith("{") for line in ended.stderr.splitlines()), ended.stderr


def test_a_gateway_that_is_told_twice_logs_no_traceback():
    command = [sys.executable, "-m", "asr_gateway", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in err
