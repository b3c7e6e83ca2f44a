"""How far an archive has come, how fast, and when it will be done."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from .manifest import Entry
from .settling import Done, Settled

EVERY_S = 30.0
RATE_WINDOW_S = 600.0  # what servers that came and went did before says little of what is left


class Progress:
    """Counts what is settled and tells of it now and then.

    The estimate is by audio where the manifest says how long each recording is, else by files.

    Args:
        total: recordings of the manifest.
        left: those that are not settled yet.
        tell: prints a line.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        total: int,
        left: Sequence[Entry],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._settled = total - len(left)
        self._tell = tell
        self._clock = clock
        durations = [entry.duration_s for entry in left if entry.duration_s is not None]
        self._by_audio = len(durations) == len(left)
        self._amount_left = sum(durations) if self._by_audio else float(len(left))
        self._audio_s = 0.0
        self.done = self.failed = 0
        # When, amount left, audio recognised.
        self._seen = deque([(clock(), self._amount_left, 0.0)])
        self._told_at = clock()

    def settled(self, entry: Entry, outcome: Settled) -> None:
        """Count a recording."""
        self._settled += 1
        if isinstance(outcome, Done):
            self.done += 1
            self._audio_s += outcome.duration_s
        else:
            self.failed += 1
        self._amount_left -= (entry.duration_s or 0.0) if self._by_audio else 1.0

    def look_about(self) -> None:
        """Tell how far it is, if that was last told long ago."""
        now = self._clock()
        if now - self._told_at >= EVERY_S:
            self._told_at = now
            self._tell(self.line())

    def line(self) -> str:
        """Return how far it is, with an estimate where there is one."""
        now = self._clock()
        self._seen.append((now, self._amount_left, self._audio_s))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RATE_WINDOW_S:
            self._seen.popleft()
        since, amount_then, audio_then = self._seen[0]
        share = self._settled / self._total if self._total else 1.0
        parts = [f"{self._settled} of {self._total} files ({share:.1%})"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        elapsed_s = now - since
        if elapsed_s > 0 and self._audio_s > audio_then:
            speed = (self._audio_s - audio_then) / elapsed_s
            parts.append(f"{self._audio_s / 3600:.2f} h of audio, {speed:.0f} times real time")
        did = amount_then - self._amount_left
        if did > 0 and self._settled < self._total:
            parts.append(f"about {_span(self._amount_left / did * elapsed_s)} left")
        return ", ".join(parts)


def _span(seconds: float) -> str:
    """Return a time in the two largest units that it has."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
