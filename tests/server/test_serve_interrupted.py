"""Ctrl-C in a terminal, where all of the foreground group gets SIGINT."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from asr_server.install import install
from asr_server.models import KINDS, copy_repository
from tests.serving import RANDOM_MODELS

END_TIMEOUT_S = 120


@pytest.mark.parametrize("after_s", [0.1, 0.2, 0.3])
def test_no_traceback_while_it_starts(tmp_path, after_s):
    """Nor from the doors, which start at that time."""
    kind = KINDS["sensevoice"]
    repository = copy_repository(kind, tmp_path / kind.repository)
    install(kind, RANDOM_MODELS / "sensevoice-tiny-seed0", repository)
    words = ["serve", "--model-repository", str(repository), "--log", os.devnull]
    ports = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "asr_server", *words, *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()  # what it computes on; the doors start next
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGINT)
    said += process.communicate(timeout=END_TIMEOUT_S)[0]
    assert process.returncode == 0
    assert "Traceback" not in said
