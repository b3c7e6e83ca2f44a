"""Keeps what serves together running until it is told to stop: what dies is started anew."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from asr_server.run.installation import TritonServerError
from asr_server.run.parts import Part

READY_TIMEOUT_S = 300.0  # a full-size model is read from disk and, on a GPU, copied there
POLL_S = 0.2
PROGRESS_S = 5.0

# A part that has lived for STEADY_S starts with a clean slate. One that does not is started at once
# a few times, then waits longer and longer, and is given up when it has died so often in a row.
STEADY_S = 5.0
FIRST_STARTS = 3  # of one that crashes before it was ready for the first time
SILENT_S = 60.0  # a part that does not answer for so long hangs
PAUSES_S = (0.0, 0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)

Report = Callable[[str], None]


class GivenUp(TritonServerError):
    """A part dies again and again."""


class Watched:
    """A part, and what became of it.

    Each has a thread of its own, so that one that answers slowly, or is being mended, keeps none of
    the others waiting. It lives as long as the part: the kernel ends a part with the thread that
    started it.

    Args:
        part: what is watched.
        report: takes a line for each death, and for each return.

    Attributes:
        failure: why it cannot go on; nobody looks after the part then.
    """

    def __init__(self, part: Part, report: Report) -> None:
        self.part = part
        self.failure: Exception | None = None
        self._report = report
        self._deaths = 0  # in a row
        self._was_ready = False
        self._next_start_s: float | None = None  # it is dead, and started then
        self._started_s = 0.0
        self._ready_s: float | None = None
        self._answered_s = 0.0
        self._ending = False
        self._starting = threading.Lock()  # so that nothing starts behind its end
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    @property
    def is_ready(self) -> bool:
        """Return whether it could answer when it was looked at last."""
        return self._ready_s is not None

    def begin(self) -> None:
        """Start it, and look after it from now on."""
        self._thread.start()

    def drain(self) -> Callable[[], bool] | None:
        """Let it finish what is under way; as `Part.drain`."""
        with self._starting:
            self._ending = self.part.drains
            return self.part.drain()

    def end(self) -> None:
        """Stop it for good."""
        with self._starting:
            self._ending = True
        self.part.stop()
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        try:
            self._start()
            while not self._ended.wait(POLL_S):
                if not self._ending:
                    self._look()
        except Exception as error:  # whatever it is: nobody looks after the part any more
            if not self._ending:
                self.failure = error
            self._ended.wait()

    def _start(self) -> None:
        """Start it.

        Raises:
            TritonServerError: it cannot be started.
        """
        with self._starting:
            if not self._ending:
                self._next_start_s, self._ready_s = None, None
                self._started_s = time.monotonic()
                self.part.start()

    def _look(self) -> None:
        """See how it is, and do what is due.

        Raises:
            TritonServerError: it did not start for the first time.
            GivenUp: it dies again and again.
        """
        now = time.monotonic()
        if self._next_start_s is not None:
            if now >= self._next_start_s:
                self._start()
        elif not self.part.is_running():
            self._died(self.part.reason_for_ending())
        elif self._ready_s is None:
            self._look_at_start(now)
        elif lost := self.part.lost():
            self._mend(lost)
        elif self.part.is_ready():
            self._answered_s = time.monotonic()
        elif now - self._answered_s > SILENT_S:
            self._died(f"did not answer for {SILENT_S:g} s")

    def _look_at_start(self, now: float) -> None:
        if self.part.is_ready():
            self._ready_s = self._answered_s = time.monotonic()
            was_ready, self._was_ready = self._was_ready, True
            if was_ready:
                took_s = self._ready_s - self._started_s
                self._report(f"{self.part.name} is ready again, after {took_s:.1f} s")
        elif now - self._started_s > self.part.start_timeout_s:
            self._died(f"was not ready after {self.part.start_timeout_s:g} s")

    def _mend(self, lost: list[str]) -> None:
        """Bring back what of it has died, or all of it where that cannot be done."""
        self._count_death()
        self._report(f"the process of {', '.join(lost)} died; starting it anew")
        try:
            self.part.mend(lost)
        except TritonServerError as error:
            how = f"cannot do without it ({error})"
            self._start_anew(how if self.part.is_running() else self.part.reason_for_ending(), 0.0)
        else:
            self._ready_s = self._answered_s = time.monotonic()
            self._report("ready again")

    def _died(self, how: str) -> None:
        """Say that it died, and have it started anew."""
        if not self._was_ready and not (
            self.part.has_crashed() and self._deaths < FIRST_STARTS - 1
        ):
            raise TritonServerError(f"{self.part.name} {how}")
        self._start_anew(how, self._count_death())

    def _start_anew(self, how: str, pause_s: float) -> None:
        """End what is left of it, and say when it will be started."""
        if self._ending:
            return
        later = f" in {pause_s:g} s" if pause_s else ""
        self._report(f"{self.part.name} {how}; starting it anew{later}")
        self.part.stop(at_once=True)
        self._ready_s = None
        self._next_start_s = time.monotonic() + pause_s

    def _count_death(self) -> float:
        """Return how long to wait before it is started anew.

        Raises:
            GivenUp: it has died too often in a row.
        """
        if self._ready_s is not None and time.monotonic() - self._ready_s > STEADY_S:
            self._deaths = 0
        if self._deaths == len(PAUSES_S):
            raise GivenUp(
                f"{self.part.name} died {self._deaths + 1} times without living for {STEADY_S:g} s"
            )
        self._deaths += 1
        return PAUSES_S[self._deaths - 1]


def serve(
    parts: Sequence[Part],
    addresses: Sequence[str],
    stop: threading.Event,
    report: Report,
    drain_s: Callable[[], float] = lambda: 0.0,
) -> int:
    """Start parts, say where they are, and keep them running until told to stop.

    Args:
        parts: they start together, and stop one by one, the last first.
        addresses: lines that say where clients find them.
        stop: ends it, at any time.
        report: is told lines, by this thread only.
        drain_s: asked when it stops: how long what is under way may take to finish.

    Returns:
        Exit status: 0 if it was stopped, 1 if something did not start or was given up.
    """
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    watched = [Watched(part, said.put) for part in parts]
    begun_s = told_s = time.monotonic()
    announced = False
    try:
        for each in watched:
            each.begin()
        while not stop.wait(POLL_S):
            while not said.empty():
                report(said.get())
            if failures := [each.failure for each in watched if each.failure]:
                report(str(failures[0]))
                return 1
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
    finally:
        _drain(watched, drain_s())
        for each in reversed(watched):
            each.end()


def _drain(watched: Sequence[Watched], drain_s: float) -> None:
    """Let parts finish what is under way, for so long; what they need goes on meanwhile."""
    if not drain_s:
        return
    finished = [said for each in watched if (said := each.drain())]
    deadline_s = time.monotonic() + drain_s
    while not all(said() for said in finished) and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
