"""A model's process keeps none of the connections that it was started with."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {"asr_triton.inherited": ROOT, "ort_inherited": ROOT / "backends" / "onnxruntime"}


@pytest.mark.parametrize("module", MODULES)
def test_connections_are_closed_and_the_rest_stays(module: str, tmp_path: Path) -> None:
    code = (
        f"import os, sys; from {module} import close_inherited_connections\n"
        "close_inherited_connections()\n"
        "for number in map(int, sys.argv[1:]):\n"
        "    try: os.fstat(number)\n"
        "    except OSError: print(number)\n"
    )
    ours, theirs = socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0))
    error, error_of_child = socket.socketpair()  # as systemd gives one
    with ours, theirs, listener, error, error_of_child, (tmp_path / "log").open("w") as log:
        numbers = [theirs.fileno(), listener.fileno(), log.fileno(), 2]
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, numbers)],
            stdout=subprocess.PIPE,
            stderr=error_of_child,
            pass_fds=[number for number in numbers if number > 2],
            env={**os.environ, "PYTHONPATH": str(MODULES[module])},
            text=True,
            check=True,
        )
    assert [int(line) for line in done.stdout.split()] == numbers[:2]
