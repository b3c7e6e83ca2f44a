"""Places that clients share: one may hold half of what the others leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from asr_server.doors.body import NoRoom


class Shares:
    """Counts who holds how many.

    Args:
        places: how many there are.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._held: Counter[str] = Counter()

    @contextmanager
    def held(self, client: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            NoRoom: there is none, or this client has his share.
        """
        held = self._held[client]
        if self._free < 1 or (held > 0 and 2 * (held + 1) > held + self._free):
            raise NoRoom
        self._free -= 1
        self._held[client] += 1
        try:
            yield
        finally:
            self._free += 1
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]
