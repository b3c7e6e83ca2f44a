"""Processes that tests start and listen to."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path


def read_until(process: subprocess.Popen[str], start: str) -> str:
    """Return what a process prints, up to the first line that starts so.

    Raises:
        AssertionError: it ended before.
    """
    text = ""
    for line in process.stdout or ():
        text += line
        if line.startswith(start):
            return text
    raise AssertionError(f"ended before {start!r}:\n{text}")


def write_output(process: subprocess.Popen[str], path: Path) -> threading.Thread:
    """Write what a process prints from now on to a file, so that its pipe never fills.

    Returns:
        the thread that does so, until the process and its children have ended.
    """

    def write() -> None:
        with path.open("a") as file:
            for line in process.stdout or ():
                file.write(line)
                file.flush()

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    return writing
