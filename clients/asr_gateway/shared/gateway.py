"""What all sessions of a gateway share."""

from __future__ import annotations

import asyncio
import itertools
from typing import Protocol

from asr_client import AsyncClient

from .auth import ApiKeys
from .hotwords import HotwordCheck
from .limits import SessionLimits, TooManySessions
from .logs import log_event
from .metrics import Metrics
from .model_names import ModelNames
from .outage import RETRY_AFTER_S, TritonWatch
from .settings import GatewaySettings

SHUTDOWN_MESSAGE = "the gateway is shutting down"


class Stoppable(Protocol):
    """A session that can be asked to finish."""

    def stop(self) -> None:
        """End the audio; what is there is still recognised and reported."""

    @property
    def client(self) -> str:
        """Whose session it is."""

    @property
    def idle_since_s(self) -> float | None:
        """When it began, in monotonic seconds; None if audio has come, so that it is in use."""

    def make_way(self) -> None:
        """Give the place to another session at once, and end."""


class Gateway:
    """Settings, the way to Triton, limits and counters of one gateway.

    Attributes:
        client: for all sessions; its calls share a connection.
        triton: knows whether Triton answers.
        sessions: websockets that are open.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.client = AsyncClient(settings.triton_url, timeout_s=settings.triton_timeout_s)
        self.triton = TritonWatch(self.client)
        self.hotwords = HotwordCheck(self.client, settings.hotwords)
        self.models = ModelNames(settings.model, settings.model_aliases)
        self.keys = ApiKeys(settings.api_keys)
        self.limits = SessionLimits(settings.max_sessions, settings.max_sessions_per_client)
        self.metrics = Metrics()
        self.metrics.sessions.set_function(lambda: self.limits.open)
        self.metrics.draining.set_function(lambda: self.limits.draining)
        self.metrics.max_sessions.set(settings.max_sessions)
        self.sessions: set[Stoppable] = set()
        self._numbers = itertools.count(1)

    async def check_triton(self) -> None:
        """Refuse a session that could not begin.

        Raises:
            TooManySessions: Triton does not answer.
        """
        if not await self.triton.answers():
            raise TooManySessions(
                f"recognition is not available at the moment; come again in {RETRY_AFTER_S} s",
                "triton",
            )

    def next_number(self) -> int:
        """Return a number for a session, for the log."""
        return next(self._numbers)

    def make_room(self, client: str) -> None:
        """Where a client finds no place, end the oldest session that has sent no audio yet."""
        if self.limits.has_room(client):
            return
        theirs_only = self.limits.has_room_for_others
        idle = [
            (session.idle_since_s, session)
            for session in self.sessions
            if session.idle_since_s is not None and (not theirs_only or session.client == client)
        ]
        if idle:
            _, oldest = min(idle, key=lambda entry: entry[0])
            oldest.make_way()

    async def drain(self) -> None:
        """Take nothing new, and let what is under way finish for a while."""
        self.limits.draining = True
        log_event("shutdown", open_sessions=self.limits.open)
        for session in list(self.sessions):
            session.stop()
        deadline = asyncio.get_running_loop().time() + self.settings.shutdown_grace_s
        while self.limits.open and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Close the connection to Triton."""
        await self.client.close()
