"""Faults of the machine: processes that die or stand still, and a disk that is full."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.serve_command import Serving

DISK_MB = 64
STOPPED_S = 3.0
FULL_S = 3.0


class Faults:
    """Injects them, and knows when.

    Args:
        server: whose processes.
        disk: a small file system for temporary files; None where there is none.

    Attributes:
        periods: begin and end of each, in monotonic seconds; an end is when it was undone.
        names: of what was done.
    """

    def __init__(self, server: Serving, disk: Path | None, choice: random.Random) -> None:
        self._server = server
        self._disk = disk
        self._choice = choice
        self.periods: list[tuple[float, float]] = []
        self.names: list[str] = []

    def inject(self) -> None:
        """Do one, and wait until it is undone where it is undone; the first one kills Triton."""
        begun_s = time.monotonic()
        kinds = [self._kill, self._kill, self._stop, *([self._fill] if self._disk else [])]
        self.names.append(self._choice.choice(kinds)() if self.names else self._kill_triton())
        self.periods.append((begun_s, time.monotonic()))

    def _victim(self) -> psutil.Process:
        return self._choice.choice(self._server.family())

    def _kill_triton(self) -> str:
        self._server.child("tritonserver").kill()
        return "killed tritonserver"

    def _kill(self) -> str:
        with contextlib.suppress(psutil.Error):
            victim = self._victim()
            name = _name(victim)
            victim.kill()
            return f"killed {name}"
        return "killed nothing"

    def _stop(self) -> str:
        with contextlib.suppress(psutil.Error):
            victim = self._victim()
            name = _name(victim)
            victim.suspend()
            time.sleep(STOPPED_S)
            victim.resume()
            return f"stopped {name}"
        return "stopped nothing"

    def _fill(self) -> str:
        if self._disk is None:
            raise ValueError("expected a disk")
        path = self._disk / "everything"
        with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        time.sleep(FULL_S)
        path.unlink()
        return "filled the disk"


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a small file system; None where that is not allowed, as without root."""
    folder.mkdir()
    options = f"size={DISK_MB}m"
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield folder if mounting.returncode == 0 else None
    finally:
        if mounting.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _name(process: psutil.Process) -> str:
    return " ".join(process.cmdline())[-80:] or process.name()
