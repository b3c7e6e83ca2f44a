"""What all sessions of a gateway share."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from asr_client import AsyncClient, KnownSpeakers
from asr_client.diarisation import SpeakerCount

from .auth import ApiKeys
from .hotwords import HotwordCheck
from .limits import REFUSED_AT_SHUTDOWN, SessionLimits, TooManySessions
from .logs import log_event
from .metrics import Metrics
from .model_names import ModelNames
from .outage import RETRY_AFTER_S, TritonWatch
from .settings import GatewaySettings

T = TypeVar("T")

MAX_LATE_S = 8.0
"""New sessions are refused while the audio of half of those that are open waits longer."""

MAX_SECOND_PASSES = 64
"""Stretches of speech that Triton recognises at a time for live sessions. More wait here, where
their audio is anyway: Triton never frees the memory of the most requests it had at once."""


class Stoppable(Protocol):
    """A session that can be asked to finish."""

    def stop(self, *, at_once: bool) -> None:
        """End with the utterance that is open, or cut it: what is there is still recognised."""

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
        second_passes: gives live sessions their turns.
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
        self.metrics.watch_tritons(self.tritons)
        self.sessions: set[Stoppable] = set()
        self.second_passes = asyncio.Semaphore(MAX_SECOND_PASSES)
        self._numbers = itertools.count(1)
        self._ended = asyncio.Event()

    def tritons(self) -> dict[str, bool]:
        """Return which Tritons are given work, by URL."""
        return self.client.servers or {self.client.url: self.triton.answered}

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

    def known_speakers(
        self, speakers: SpeakerCount | None, own: KnownSpeakers | None = None
    ) -> KnownSpeakers | None:
        """Return who is called by name: whom a client names, else whom the gateway knows."""
        if speakers is None:
            return None
        return own or self.settings.known_speakers

    def check_pace(self) -> None:
        """Refuse a session that would make those that are open still later.

        Raises:
            TooManySessions: the models do not keep up with them.
        """
        late_s = self.metrics.late_s()
        if late_s > MAX_LATE_S:
            raise TooManySessions(
                f"the sessions that are open are {late_s:.0f} s late; come again in "
                f"{RETRY_AFTER_S} s",
                "late",
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

    async def drain(self, finish_s: float, is_hurried: Callable[[], bool] = lambda: False) -> None:
        """Take nothing new, let what is under way finish, and then hand over what is left.

        Args:
            finish_s: how long sessions may go on as they are; those between utterances end.
            is_hurried: whether nobody wants to wait any more.
        """
        self.limits.draining = True
        log_event("shutdown", open_sessions=self.limits.open, finish_s=finish_s)
        for grace_s, at_once in ((finish_s, False), (self.settings.shutdown_grace_s, True)):
            for session in list(self.sessions):
                session.stop(at_once=at_once)
            deadline = asyncio.get_running_loop().time() + grace_s
            while self.limits.open and asyncio.get_running_loop().time() < deadline:
                if is_hurried():
                    break
                await asyncio.sleep(0.05)
        self._ended.set()

    async def unless_ended(self, work: Awaitable[T]) -> T:
        """Do something, as long as the gateway runs.

        Raises:
            TooManySessions: the gateway ends.
        """
        working, ending = asyncio.ensure_future(work), asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise TooManySessions(REFUSED_AT_SHUTDOWN, "shutdown")
        finally:
            working.cancel()
            ending.cancel()
            await asyncio.gather(working, ending, return_exceptions=True)

    async def close(self) -> None:
        """Close the connection to Triton."""
        await self.client.close()
