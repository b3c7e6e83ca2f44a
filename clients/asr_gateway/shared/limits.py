"""How much may be under way at once, altogether and for each client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .outage import RETRY_AFTER_S

SHUTDOWN_MESSAGE = "the gateway is shutting down"
REFUSED_AT_SHUTDOWN = f"{SHUTDOWN_MESSAGE}; come again in {RETRY_AFTER_S} s"


class TooManySessions(Exception):
    """No more sessions are taken for now; the text says why, `reason` in one word."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SessionLimits:
    """Counts sessions. For one event loop.

    Attributes:
        open: sessions under way.
        draining: the gateway stops; nothing new is taken.
    """

    def __init__(self, max_sessions: int, max_per_client: int) -> None:
        self._max_sessions = max_sessions
        self._max_per_client = max_per_client
        self._clients: Counter[str] = Counter()
        self.open = 0
        self.draining = False

    @property
    def has_room_for_others(self) -> bool:
        """Whether another client may have a session."""
        return self.open < self._max_sessions

    def has_room(self, client: str) -> bool:
        """Return whether a client may have one more session."""
        return self.has_room_for_others and self._clients[client] < self._max_per_client

    @contextmanager
    def session(self, client: str) -> Iterator[None]:
        """Hold a place for a session of a client.

        Raises:
            TooManySessions: there is none.
        """
        if self.draining:
            raise TooManySessions(REFUSED_AT_SHUTDOWN, "shutdown")
        if self.open >= self._max_sessions:
            raise TooManySessions(
                f"the gateway has {self.open} sessions open and takes no more", "sessions"
            )
        if self._clients[client] >= self._max_per_client:
            raise TooManySessions(
                f"this client has {self._clients[client]} sessions open and may have no more",
                "client",
            )
        self.open += 1
        self._clients[client] += 1
        try:
            yield
        finally:
            self.open -= 1
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]
