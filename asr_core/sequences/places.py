"""Places for the sessions of a model, which several processes may share."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class SessionPlaces:
    """A number of places; taking one is never allowed twice, also not to different processes.

    A place is a byte of a file, and taken by who holds the lock on it, so that the system itself
    frees the places of a process that dies. The file stays empty.

    Args:
        count: places of all processes together.
        file: the same for all of them; None where there is one process.
    """

    def __init__(self, count: int, file: Path | None = None) -> None:
        self._free = set(range(count))  # as far as this process knows
        self._file = file
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = None if file is None else os.open(file, flags, 0o600)

    def take(self) -> int | None:
        """Return a place that is taken now, None if there is none."""
        for place in self._free:
            if self._lock(place):
                self._free.remove(place)
                return place
        return None

    def any_free(self) -> bool:
        """Return whether a place could be taken now."""
        place = self.take()
        if place is not None:
            self.give_back(place)
        return place is not None

    def give_back(self, place: int) -> None:
        """Free a place of this process."""
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, place)
        self._free.add(place)

    def close(self) -> None:
        """Free all places of this process and remove the file; who has it open keeps it."""
        if self._descriptor is not None and self._file is not None:
            os.close(self._descriptor)
            self._file.unlink(missing_ok=True)
            self._descriptor = None

    def _lock(self, place: int) -> bool:
        if self._descriptor is None:
            return True
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # which of the two depends on the system
            return False
        return True
