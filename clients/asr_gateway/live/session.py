"""A websocket session: reads messages, watches for silence, and ends in good order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from ..shared import (
    GATEWAY_FAILED,
    RETRY_AFTER_S,
    SHUTDOWN_MESSAGE,
    Gateway,
    failure_kind,
    is_outage,
    log_event,
    logged,
    served,
    told,
)
from .channel import (
    GOING_AWAY,
    NORMAL,
    REFUSED,
    TRY_LATER,
    Channel,
    ChannelClosed,
    close_code,
)

_STOP_LOOK_S = 0.05  # until an utterance is seen to have ended, when the gateway stops


class _Stopped(Exception):
    """The gateway ends the session."""


class _MadeWay(Exception):
    """Its place is another session's."""


class _Idle(Exception):
    """Nothing came from the client for too long."""


class Utterance(Protocol):
    """What is recognised at a time.

    Attributes:
        mode: for counters.
    """

    mode: str

    @property
    def audio_s(self) -> float:
        """Return how much was received, in seconds; 0 if that is not known before the end."""

    async def run(self) -> None:
        """Recognise, and send what comes of it, until its audio has ended."""


@dataclass(frozen=True)
class Admission:
    """A place in the limits.

    Attributes:
        number: of the session, in the log.
        client: whose limits count.
        give_back: gives the place back before the session ends.
    """

    number: int
    client: str
    give_back: Callable[[], None]


class LiveSession:
    """What the sessions of all protocols do; a protocol is a subclass.

    One utterance is recognised at a time: audio of the next waits until the results of the one
    before are sent.
    """

    door: ClassVar[str]
    """The protocol, for counters."""

    close_codes: ClassVar[Mapping[type[Exception], int]] = {}
    """With which code the session is closed for failures of the protocol's own."""

    def __init__(self, gateway: Gateway, channel: Channel, admission: Admission) -> None:
        self._gateway = gateway
        self._channel = channel
        self._admission = admission
        self._number = admission.number
        self._work: asyncio.Task[None] | None = None  # recognition of this utterance, or the last
        self._last_message_s = self._begun_s = time.monotonic()
        self._has_message = False
        self._leaving, self._stopping = asyncio.Event(), asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the client until it, a failure or the gateway ends the session."""
        reading = asyncio.create_task(self._read())
        watching = asyncio.create_task(self._watch())
        stopping = asyncio.create_task(self._stop_when_told())
        tasks: set[asyncio.Task[None]] = {reading, watching, stopping}
        code, reason = NORMAL, ""
        try:
            await asyncio.wait({*tasks, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            for task in (self._failed, *tasks):
                if task.done():
                    task.result()
        except ChannelClosed:
            pass
        except _Stopped as stopped:
            code, reason = GOING_AWAY, str(stopped)
        except Exception as error:
            code, reason = self._judge(error)
            await self._tell(error, reason)
        finally:
            if self._work is not None:
                tasks.add(self._work)
            for task in tasks:
                task.cancel()
            # Several may have failed at once; asyncio would log those that nobody has looked at.
            self._failed.cancel()
            await asyncio.gather(self._failed, *tasks, return_exceptions=True)
            self._let_go()
            await self._channel.close(code, reason)

    @property
    def client(self) -> str:
        """Whose session it is."""
        return self._admission.client

    @property
    def idle_since_s(self) -> float | None:
        """When it began, in monotonic seconds; None if audio has come, so that it is in use."""
        in_use = self._work is not None or self._has_audio() or self._failed.done()
        return None if in_use else self._begun_s

    def make_way(self) -> None:
        """Give the place up to another session at once, and end."""
        self._failed.set_exception(
            _MadeWay("no audio had come, and this place was needed for another session")
        )
        self._admission.give_back()

    def stop(self, *, at_once: bool) -> None:
        """End with the utterance that is open, or cut it: what is there is still recognised."""
        self._leaving.set()
        if at_once:
            self._stopping.set()

    async def _on_text(self, text: str) -> None:
        """Take a text message."""
        raise NotImplementedError

    async def _on_audio(self, data: bytes) -> None:
        """Take a binary message."""
        raise NotImplementedError

    async def _end_audio(self) -> None:
        """End the utterance that is open, if one is."""
        raise NotImplementedError

    async def _tell(self, error: Exception, reason: str) -> None:
        """Tell the client of a failure, behind which the session is closed."""
        raise NotImplementedError

    async def _utterance_done(self) -> None:
        """Say what follows the results of an utterance."""

    def _has_audio(self) -> bool:
        """Return whether audio waits that belongs to no utterance yet."""
        return False

    def _expects_audio(self) -> bool:
        """Return whether the utterance that is recognised may still get audio."""
        raise NotImplementedError

    def _let_go(self) -> None:
        """Let go of what is kept."""

    async def _read(self) -> None:
        """Follow the client's messages."""
        while True:
            message = await self._channel.receive()
            self._last_message_s = time.monotonic()
            self._has_message = True
            if isinstance(message, str):
                await self._on_text(message)
            else:
                await self._on_audio(message)

    def _start(self, utterance: Utterance) -> None:
        """Recognise an utterance, while its audio comes."""
        self._work = asyncio.create_task(self._recognise(utterance))

    async def _previous_done(self) -> None:
        """Wait for the results of the utterance before."""
        if self._work is not None:
            await asyncio.wait({self._work})

    async def _recognise(self, utterance: Utterance) -> None:
        """See an utterance through, and count how it ended."""
        metrics, outcome, begun_s = self._gateway.metrics, "left", time.monotonic()
        try:
            about = {"asr.mode": utterance.mode, "asr.session": self._number}
            with served(f"{self.door} utterance", about) as more:
                await utterance.run()
                await self._utterance_done()
                more["asr.audio_s"] = utterance.audio_s
            outcome = "ok"
        except Exception as error:
            outcome = "left" if isinstance(error, ChannelClosed) else "error"
            if not self._failed.done():
                self._failed.set_exception(error)
        finally:
            metrics.utterances.labels(utterance.mode, outcome).inc()
            metrics.audio_s.labels(utterance.mode).inc(utterance.audio_s)
            log_event(
                "utterance",
                session=self._number,
                mode=utterance.mode,
                outcome=outcome,
                audio_s=round(utterance.audio_s, 3),
                elapsed_s=round(time.monotonic() - begun_s, 3),
            )

    async def _watch(self) -> None:
        """Raise _Idle when nothing came for too long, unless the client waits for results."""
        settings = self._gateway.settings
        patience_s = min(settings.first_message_timeout_s, settings.idle_timeout_s)
        await asyncio.sleep(patience_s)
        if not self._has_message:
            raise _Idle(f"nothing came for {patience_s:g} s")
        timeout_s = settings.idle_timeout_s
        while True:
            idle_s = time.monotonic() - self._last_message_s
            is_working = self._work is not None and not self._work.done()
            if is_working and not self._expects_audio():
                await asyncio.wait({self._work} if self._work else ())
                self._last_message_s = time.monotonic()
            elif idle_s >= timeout_s:
                raise _Idle(f"nothing came for {timeout_s:g} s")
            else:
                await asyncio.sleep(timeout_s - idle_s)

    async def _stop_when_told(self) -> None:
        """Finish the utterance that is open, and raise _Stopped."""
        await self._leaving.wait()
        while self._expects_audio() and not self._stopping.is_set():
            await asyncio.sleep(_STOP_LOOK_S)
        await self._end_audio()
        await self._previous_done()
        raise _Stopped(SHUTDOWN_MESSAGE)

    def _judge(self, error: Exception) -> tuple[int, str]:
        """Return the close code for a failure and what the client is told."""
        own = {**self.close_codes, _Idle: REFUSED, _MadeWay: TRY_LATER}.get(type(error))
        if own is not None:
            code, reason = own, str(error)
        else:
            code, reason = close_code(error), told(error)
            if is_outage(error):
                code, reason = TRY_LATER, f"{reason}; come again in {RETRY_AFTER_S} s"
        idle = isinstance(error, (_Idle, _MadeWay))
        kind = "idle" if idle else "request" if own is not None else failure_kind(error)
        self._gateway.metrics.errors.labels(self.door, kind).inc()
        level = logging.ERROR if reason == GATEWAY_FAILED else logging.WARNING
        log_event(
            "session failed", level=level, session=self._number, code=code, error=logged(error)
        )
        return code, reason
