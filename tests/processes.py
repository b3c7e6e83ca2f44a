"""Processes that tests start and listen to."""

from __future__ import annotations

import subprocess


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
