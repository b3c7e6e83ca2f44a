"""Open sequences of a stateful model: a limit, and an end for those that never end.

Triton frees the slot of an idle sequence without telling the model, so the model keeps this table.

A client that is gone leaves its sequence open; enough of those, and nobody else would find room
until their idle time is over. So when all places are taken, the one that was idle for longest makes
way, if it was idle for `LEAST_IDLE_S` at least: at once for a new one of the same process, and, as
processes that share the places do not see each other's, whenever `expire` finds all taken. A client
that pauses loses nothing by that as long as it sends a request without audio now and then; ours do
so every few seconds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from asr_core.sequences.places import SessionPlaces

State = TypeVar("State")

LEAST_IDLE_S = 10.0
_REMEMBERED = 10_000  # sequences that made way, to tell their owners


class SessionLimitError(ValueError):
    """A new session would exceed the limit; the open ones are untouched."""


class UnknownSessionError(ValueError):
    """No state is kept for a session that should have one."""


@dataclass
class _Entry(Generic[State]):
    state: State
    last_used_s: float
    place: int | None


class SessionTable(Generic[State]):
    """States of the open sessions by key. Safe to use from several threads.

    Args:
        max_sessions: sessions open at a time; 0 for no limit.
        idle_timeout_s: a session unused for longer is dropped by `expire`.
        clock: monotonic seconds.
        places: of the sessions, where several processes share the limit.
    """

    def __init__(
        self,
        max_sessions: int,
        idle_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        places: SessionPlaces | None = None,
    ) -> None:
        self._max_sessions = max_sessions
        self._idle_timeout_s = idle_timeout_s
        self._clock = clock
        self._places = places or SessionPlaces(max_sessions)
        self._entries: OrderedDict[Hashable, _Entry[State]] = OrderedDict()  # the idlest first
        self._made_way: OrderedDict[Hashable, float] = OrderedDict()  # after how many idle seconds
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many sessions are open."""
        return len(self._entries)

    def open(self, key: Hashable, state: State) -> None:
        """Add a session; one that is open under the same key is replaced.

        Raises:
            SessionLimitError: `max_sessions` others are open, and all in use.
        """
        with self._lock:
            entry = self._entries.get(key)
            place = self._take_place() if entry is None else entry.place
            self._entries[key] = _Entry(state, self._clock(), place)
            self._entries.move_to_end(key)
            self._made_way.pop(key, None)

    def get(self, key: Hashable) -> State:
        """Return a session's state and count it as used now.

        Raises:
            UnknownSessionError: it is not open.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None and (idle_s := self._made_way.get(key)) is not None:
                raise UnknownSessionError(
                    f"no state for sequence {key}: it was idle for {idle_s:.0f} s when "
                    f"{self._max_sessions} were open (the model's parameter max_sessions), and "
                    "made way for a new one; what was not yet answered is lost, start a new "
                    "sequence (a request without audio every few seconds keeps one)"
                )
            if entry is None:
                raise UnknownSessionError(
                    f"no state for sequence {key}: it ended with an error, was idle for more than "
                    f"{self._idle_timeout_s:g} s, or the model's process was restarted; what was "
                    "not yet answered is lost, start a new sequence"
                )
            entry.last_used_s = self._clock()
            self._entries.move_to_end(key)
            return entry.state

    def close(self, key: Hashable) -> None:
        """Drop a session; nothing happens if it is not open."""
        with self._lock:
            self._drop(key)

    def expire(self) -> int:
        """Drop the idle sessions, and make room if there is none; returns how many are left."""
        with self._lock:
            self._expire()
            if self._max_sessions and self._entries and not self._places.any_free():
                self._make_way()
            return len(self._entries)

    def _expire(self) -> None:
        oldest = self._clock() - self._idle_timeout_s
        for key in [key for key, entry in self._entries.items() if entry.last_used_s < oldest]:
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None and entry.place is not None:
            self._places.give_back(entry.place)

    def _take_place(self) -> int | None:
        """Return a place for a session, None where there is no limit.

        Raises:
            SessionLimitError: all are taken.
        """
        if not self._max_sessions:
            return None
        place = self._places.take()
        if place is None:
            self._expire()
            place = self._places.take()
        if place is None:
            self._make_way()
            place = self._places.take()
        if place is None:
            raise SessionLimitError(
                f"expected at most {self._max_sessions} open sessions (the model's parameter "
                "max_sessions), all are in use; try again later"
            )
        return place

    def _make_way(self) -> None:
        """Drop the session of this process that was idle for longest, if that was long enough."""
        if not self._entries:
            return
        key, entry = next(iter(self._entries.items()))
        idle_s = self._clock() - entry.last_used_s
        if idle_s >= LEAST_IDLE_S:
            self._drop(key)
            self._made_way[key] = idle_s
            while len(self._made_way) > _REMEMBERED:
                self._made_way.popitem(last=False)


class Reaper:
    """Calls a function every `interval_s` seconds in a thread of its own until it is stopped."""

    def __init__(self, work: Callable[[], object], interval_s: float) -> None:
        self._work = work
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            self._work()
