"""`python -m asr_client` is `triton-asr`."""

from __future__ import annotations

import subprocess
import sys

from asr_client.cli import build_parser
from tests.client import misbehaving


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr_client", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_module_runs_the_command_line():
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: triton-asr ")
    assert build_parser().description in done.stdout


def test_its_exit_status_is_the_command_lines():
    done = run("models", "--url", f"http://127.0.0.1:{misbehaving.refusing_port()}")
    assert done.returncode == 3
    assert done.stderr.startswith("triton-asr models: ")
