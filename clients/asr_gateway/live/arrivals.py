"""When audio came, so that it is known how late its text is."""

from __future__ import annotations

import time
from collections import deque

_REMEMBERED = 4096  # frames


class Arrivals:
    """Remembers when the last frames of an utterance arrived."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)  # ms in all, when

    def note(self, received_ms: float, arrived_s: float) -> None:
        """Say how much of the utterance was there with a frame that came at `arrived_s`."""
        self._frames.append((received_ms, arrived_s))

    def since_s(self, heard_ms: float) -> float:
        """Return how long ago so much of the utterance was there; asked for in order."""
        while len(self._frames) > 1 and self._frames[0][0] < heard_ms:
            self._frames.popleft()
        return time.monotonic() - self._frames[0][1] if self._frames else 0.0
