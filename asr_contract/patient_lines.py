"""Lines that are written by a thread of their own, so that a slow reader holds up nobody.

Otherwise a paused terminal, or a pipe that nobody reads, would block whoever prints.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable

MAX_LINES = 10_000  # that wait; about 2 MB
_FLUSH_S = 1.0


class PatientLines:
    """Lines on their way to a file descriptor.

    Those beyond `MAX_LINES` that wait are left out, and counted in a line of their own. A stream
    of Python's would be locked while it is written to, and could not be closed at the end.

    Args:
        descriptor: of a file, pipe or terminal, which may be slow, or read by nobody.
        left_out: says, as a line, how many are missing at that place.
    """

    def __init__(self, descriptor: int, left_out: Callable[[int], str]) -> None:
        self._descriptor = descriptor
        self._left_out = left_out
        self._lines: queue.Queue[str] = queue.Queue(MAX_LINES)
        self._lost = 0
        threading.Thread(target=self._write, name="patient-lines", daemon=True).start()

    def put(self, line: str) -> None:
        """Have a line written; returns at once."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def flush(self) -> None:
        """Wait a moment for what is still to be written."""
        deadline_s = time.monotonic() + _FLUSH_S
        while self._lines.unfinished_tasks and time.monotonic() < deadline_s:
            time.sleep(0.01)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            try:
                if self._lost:
                    lost, self._lost = self._lost, 0
                    self._write_line(self._left_out(lost))
                self._write_line(line)
            except OSError:  # nobody can read any more
                pass
            finally:
                self._lines.task_done()

    def _write_line(self, line: str) -> None:
        rest = f"{line}\n".encode(errors="backslashreplace")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
