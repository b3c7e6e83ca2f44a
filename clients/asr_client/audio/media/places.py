"""How many files are decoded at once, and for whom.

A decoder that waits for its reader costs memory only, one that works costs a core, so there are a
few for each core. Whoever has many files may hold half of what the others leave, so that somebody
else finds a place at once; files that are nobody's may hold all.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

from asr_contract.cores import usable_cores

from ...errors import Overloaded
from ...time_limit import within

PLACES_PER_CORE = 4
PATIENCE_S = 120.0


class MediaPlaces:
    """Places for decoders, shared by all event loops of a process.

    Args:
        places: how many there are.
        patience_s: how long one is waited for.
    """

    def __init__(self, places: int, patience_s: float = PATIENCE_S) -> None:
        self._places = places
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._queue: list[Place] = []

    async def take(self, owner: str) -> Place:
        """Wait for a place, to be released.

        Args:
            owner: whose file it is; "" is nobody, who has no share to keep.

        Raises:
            Overloaded: there was none for too long.
        """
        place = Place(self, owner)
        with self._lock:
            self._queue.append(place)
            self._admit()
        try:
            await within(self._patience_s, place.admitted.wait())
        except TimeoutError:
            place.release()
            raise Overloaded(
                f"no decoder was free for {self._patience_s:g} s: at most {self._places} files "
                "are decoded at once, and one client may hold half of what others leave"
            ) from None
        except BaseException:
            place.release()
            raise
        return place

    def give_back(self, place: Place) -> None:
        """Take a place back, or forget that somebody waits for it."""
        with self._lock:
            if place in self._queue:
                self._queue.remove(place)
            else:
                self._let_go(place.owner)
                self._admit()

    def _admit(self) -> None:
        """Give free places to those who wait: first to whoever holds the fewest."""
        while free := self._places - sum(self._held.values()):
            may = [place for place in self._queue if self._may_hold(place.owner, free)]
            if not may:
                return
            # Of equals the one who waits longest.
            chosen = min(may, key=lambda place: self._held[place.owner])
            self._queue.remove(chosen)
            self._held[chosen.owner] += 1
            if not chosen.admit():
                self._let_go(chosen.owner)

    def _may_hold(self, owner: str, free: int) -> bool:
        """Return whether an owner may have one more of the free places."""
        held = self._held[owner]
        return not owner or held == 0 or 2 * (held + 1) <= held + free

    def _let_go(self, owner: str) -> None:
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]


class Place:
    """A place for one decoder, or somebody's waiting for it.

    Attributes:
        owner: whose file it is.
        admitted: the place is there.
    """

    def __init__(self, places: MediaPlaces, owner: str) -> None:
        self.owner = owner
        self.admitted = asyncio.Event()
        self._places = places
        self._loop = asyncio.get_running_loop()
        self._released = False

    def admit(self) -> bool:
        """Wake who waits, on any thread; returns whether there still is somebody."""
        try:
            self._loop.call_soon_threadsafe(self.admitted.set)
        except RuntimeError:  # the loop was closed meanwhile
            return False
        return True

    def release(self) -> None:
        """Give the place back; harmless when that has been done."""
        if not self._released:
            self._released = True
            self._places.give_back(self)


PLACES = MediaPlaces(PLACES_PER_CORE * usable_cores())
"""The places of this process."""
