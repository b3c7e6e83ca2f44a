"""Keeps what serves together running until it is told to stop: what dies is started anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from asr_server.run.installation import TritonServerError
from asr_server.run.parts import Part

READY_TIMEOUT_S = 300.0  # a full-size model is read from disk and, on a GPU, copied there
POLL_S = 0.2
PROGRESS_S = 5.0

# A part that has lived for STEADY_S starts with a clean slate. One that does not waits longer and
# longer, and is given up when it has died so often in a row.
STEADY_S = 10.0
SILENT_S = 60.0  # a part that does not answer for so long hangs
PAUSES_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)

Report = Callable[[str], None]


class GivenUp(TritonServerError):
    """A part dies again and again."""


class Watched:
    """A part, and what became of it.

    Args:
        part: what is watched.
        report: is told of each death, and when the part is back.
    """

    def __init__(self, part: Part, report: Report) -> None:
        self.part = part
        self._report = report
        self._deaths = 0  # in a row
        self._next_start_s: float | None = None  # it is dead, and started then
        self._started_s = 0.0
        self._ready_s: float | None = None
        self._answered_s = 0.0
        self._mending: threading.Thread | None = None
        self._mending_failed: TritonServerError | None = None

    @property
    def is_ready(self) -> bool:
        """Return whether it could answer when it was looked at last."""
        return self._ready_s is not None

    def start(self) -> None:
        """Start it.

        Raises:
            TritonServerError: it cannot be started.
        """
        self._next_start_s, self._ready_s = None, None
        self._started_s = time.monotonic()
        self.part.start()

    def look(self) -> None:
        """See how it is, and do what is due.

        Raises:
            TritonServerError: it did not start for the first time.
            GivenUp: it dies again and again.
        """
        now = time.monotonic()
        if self._next_start_s is not None:
            if now >= self._next_start_s:
                self.start()
        elif not self.part.is_running():
            self._died(self.part.reason_for_ending())
        elif self._ready_s is None:
            self._look_at_start(now)
        elif self._mending is not None:
            self._look_at_mending(self._mending)
        elif lost := self.part.lost():
            self._count_death(now)
            self._report(f"the process of {', '.join(lost)} died; starting it anew")
            self._mending = threading.Thread(target=self._mend, args=(lost,), daemon=True)
            self._mending.start()
        elif self.part.is_ready():
            self._answered_s = now
        elif now - self._answered_s > SILENT_S:
            self._died(f"did not answer for {SILENT_S:g} s")

    def _look_at_start(self, now: float) -> None:
        if self.part.is_ready():
            self._ready_s = self._answered_s = now
            if self._deaths:
                took_s = now - self._started_s
                self._report(f"{self.part.name} is ready again, after {took_s:.1f} s")
        elif now - self._started_s > self.part.start_timeout_s:
            self._died(f"was not ready after {self.part.start_timeout_s:g} s")

    def _look_at_mending(self, mending: threading.Thread) -> None:
        if mending.is_alive():
            return
        self._mending = None
        if self._mending_failed is not None:
            self._died(f"cannot do without it ({self._mending_failed})")
        else:
            self._ready_s = self._answered_s = time.monotonic()
            self._report("ready again")

    def _mend(self, lost: list[str]) -> None:
        self._mending_failed = None
        try:
            self.part.mend(lost)
        except TritonServerError as error:
            self._mending_failed = error

    def _died(self, how: str) -> None:
        """Say that it died, and when it will be started anew."""
        if self._ready_s is None and not self._deaths:
            raise TritonServerError(f"{self.part.name} {how}")
        self._mending = None
        pause_s = self._count_death(time.monotonic())
        later = f" in {pause_s:g} s" if pause_s else ""
        self._report(f"{self.part.name} {how}; starting it anew{later}")
        self.part.stop()
        self._ready_s = None
        self._next_start_s = time.monotonic() + pause_s

    def _count_death(self, now: float) -> float:
        """Return how long to wait before it is started anew.

        Raises:
            GivenUp: it has died too often in a row.
        """
        if self._ready_s is not None and now - self._ready_s > STEADY_S:
            self._deaths = 0
        if self._deaths == len(PAUSES_S):
            raise GivenUp(
                f"{self.part.name} died {self._deaths + 1} times without living for {STEADY_S:g} s"
            )
        self._deaths += 1
        return PAUSES_S[self._deaths - 1]


def serve(
    parts: Sequence[Part], addresses: Sequence[str], stop: threading.Event, report: Report
) -> int:
    """Start parts, say where they are, and keep them running until told to stop.

    Args:
        parts: in the order in which they start; they stop in the opposite one.
        addresses: lines that say where clients find them.
        stop: ends it, at any time.
        report: is told lines, by this thread only.

    Returns:
        Exit status: 0 if it was stopped, 1 if something did not start or was given up.
    """
    watched = [Watched(part, report) for part in parts]
    begun_s = told_s = time.monotonic()
    announced = False
    try:
        for each in watched:
            each.start()
        while not stop.wait(POLL_S):
            for each in watched:
                each.look()
            if not announced and all(each.is_ready for each in watched):
                announced = True
                for line in addresses:
                    report(line)
                report("ready; Ctrl-C stops")
            elif not announced and time.monotonic() - told_s > PROGRESS_S:
                told_s = time.monotonic()
                states = [each.part.progress() for each in watched if not each.is_ready]
                state = ", ".join(filter(None, states)) or "starting"
                report(f"{state} ({told_s - begun_s:.0f} s)")
        return 0
    except TritonServerError as error:
        report(str(error))
        return 1
    finally:
        for part in reversed(parts):
            part.stop()
