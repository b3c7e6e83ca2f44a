"""One websocket connection: which message begins, feeds and ends an utterance, and its failures."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..shared import (
    GATEWAY_FAILED,
    RETRY_AFTER_S,
    SHUTDOWN_MESSAGE,
    Gateway,
    is_outage,
    log_event,
    logged,
    told,
)
from .channel import (
    GOING_AWAY,
    NORMAL,
    REFUSED,
    TOO_BIG,
    TRY_LATER,
    Channel,
    ChannelClosed,
    close_code,
)
from .early_audio import EarlyAudio
from .listener import Listener, is_live, make_listener
from .protocol import (
    MessageError,
    UtteranceOptions,
    parse_message,
)
from .realtime import Command, RealtimeListener, RealtimeSession, event, read_command, setting
from .recorded import TooMuchAudio
from .replies import end_acknowledgement, error_reply, refusal_reply, text_of


class _Stopped(Exception):
    """The gateway ends the connection."""


class _MadeWay(Exception):
    """Its place is another session's."""


class _Idle(Exception):
    """Nothing came from the client for too long."""


class Connection:
    """Speaks the protocol on one channel.

    One utterance is recognised at a time: audio of the next waits until the results of the one
    before are sent.
    """

    def __init__(
        self,
        gateway: Gateway,
        channel: Channel,
        number: int,
        client: str,
        give_place_back: Callable[[], None],
    ) -> None:
        self._gateway = gateway
        self._channel = channel
        self._number = number
        self._client = client
        self._give_place_back = give_place_back
        self._options: UtteranceOptions | None = None  # None before the first text message
        self._early = EarlyAudio(gateway.settings.max_upload_bytes)
        self._notices: list[str] = []  # for the utterance that begins next
        self._announced = False  # an utterance may have audio, or has
        self._wants_end = False
        self._realtime: RealtimeSession | None = None  # of a client that speaks by commands
        self._wants_stopped = False
        self._listener: Listener | None = None  # takes audio
        self._work: asyncio.Task[None] | None = None  # its recognition, or of the one before
        self._last_message_s = self._begun_s = time.monotonic()
        self._has_message = False
        self._stopping = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the client until it, a failure or the gateway ends the connection."""
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
            await self._tell(reason)
        finally:
            if self._work is not None:
                tasks.add(self._work)
            for task in tasks:
                task.cancel()
            # Several may have failed at once; asyncio would log those that nobody has looked at.
            self._failed.cancel()
            await asyncio.gather(self._failed, *tasks, return_exceptions=True)
            self._early.close()
            await self._channel.close(code, reason)

    @property
    def client(self) -> str:
        """Whose session it is."""
        return self._client

    @property
    def idle_since_s(self) -> float | None:
        """When it began, in monotonic seconds; None if audio has come, so that it is in use."""
        in_use = self._work is not None or self._early.received_bytes or self._failed.done()
        return None if in_use else self._begun_s

    def make_way(self) -> None:
        """Give the place to another session at once, and end."""
        self._failed.set_exception(
            _MadeWay("no audio had come, and this place was needed for another session")
        )
        self._give_place_back()

    def stop(self) -> None:
        """End the audio; what is there is still recognised and reported."""
        self._stopping.set()

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

    async def _on_text(self, text: str) -> None:
        """Take in what a text message says."""
        command = read_command(text)
        if command is not None:
            await self._on_command(command)
            return
        try:
            message = parse_message(text)
        except MessageError as error:
            await self._refuse(str(error))
            return
        if message.is_speaking is not False and self._listener is None:
            await self._previous_done()
        self._realtime = None
        self._options = message.apply(self._options or UtteranceOptions())
        if self._gateway.settings.service == "offline":
            self._options = replace(self._options, mode="offline")
        for refusal in message.refusals:
            await self._refuse(refusal)
        if self._early.received_bytes:
            await self._use_early_audio(self._options)
        if message.is_speaking is not False:
            self._announced = True
            return
        self._wants_end = message.wants_end
        if self._announced or self._work is None:
            self._end(self._listener or self._begin(self._options))
        elif message.wants_end:  # of an utterance that has ended already
            await self._previous_done()
            await self._channel.send(end_acknowledgement(self._options))

    async def _on_audio(self, data: bytes) -> None:
        """Give audio to the utterance, which it may begin."""
        if self._options is None:
            self._early.put(data)
            return
        if self._realtime is not None and not self._announced:
            return  # after STOP, before START
        if self._listener is None:
            await self._previous_done()
            self._listener = self._begin(self._options)
        await self._listener.put(data)

    async def _on_command(self, command: Command) -> None:
        """Do what a command of FunASR's realtime server says."""
        options = self._options or UtteranceOptions()
        if command.name == "START":
            if self._listener is not None:
                self._end(self._listener)
            await self._previous_done()
            self._options = replace(options, mode="2pass", wav_format="pcm")
            if self._early.received_bytes:
                await self._use_early_audio(self._options)
            self._realtime, self._announced = RealtimeSession(), True
            await self._channel.send(event("started"))
        elif command.name not in ("STOP", "COMMIT"):
            message, answer = setting(command)
            self._options = message.apply(options)
            await self._channel.send(answer)
        elif self._realtime is not None and self._announced:
            self._wants_stopped = command.name == "STOP"
            self._end(self._listener or self._begin(options))
            self._announced = not self._wants_stopped
        elif command.name == "STOP":
            await self._channel.send(event("stopped"))
        else:
            await self._channel.send(event("error", error="expected START before COMMIT"))

    async def _refuse(self, reason: str) -> None:
        """Tell the client that a message, or a field of it, was not understood."""
        self._gateway.metrics.refused.labels("message").inc()
        await self._channel.send(refusal_reply(self._options or UtteranceOptions(), reason))

    async def _use_early_audio(self, options: UtteranceOptions) -> None:
        """Let audio count that came before the options, where FunASR's servers let it count."""
        if is_live(options):
            self._notices.append(
                f"{self._early.received_bytes} bytes of audio came before the first JSON message "
                "and were not heard"
            )
        else:
            self._listener = self._begin(options)
            for piece in self._early.pieces():
                await self._listener.put(piece)
        self._early.close()

    def _begin(self, options: UtteranceOptions) -> Listener:
        """Open an utterance."""
        self._announced = True
        notices, self._notices = self._notices, []
        listener: Listener
        if self._realtime is not None:
            listener = RealtimeListener(self._gateway, options, self._send, notices, self._realtime)
        else:
            listener = make_listener(
                self._gateway, options, self._send, notices, client=self._client
            )
        self._work = asyncio.create_task(self._recognise(listener))
        return listener

    def _end(self, listener: Listener) -> None:
        """Close an utterance; its results will come."""
        listener.end()
        self._listener, self._announced = None, False

    async def _send(self, reply: dict[str, Any]) -> None:
        """Send a reply, and log its text if that is wanted."""
        await self._channel.send(reply)
        if self._gateway.settings.log_text:
            log_event("reply", session=self._number, mode=reply.get("mode"), text=text_of(reply))

    async def _previous_done(self) -> None:
        """Wait for the results of the utterance before."""
        if self._work is not None:
            await asyncio.wait({self._work})

    async def _recognise(self, listener: Listener) -> None:
        """See an utterance through, and count how it ended."""
        metrics, outcome, begun_s = self._gateway.metrics, "left", time.monotonic()
        try:
            await listener.run()
            if self._wants_end and self._options is not None:
                await self._channel.send(end_acknowledgement(self._options))
            if self._realtime is not None and self._wants_stopped:
                await self._channel.send(event("stopped"))
            outcome = "ok"
        except Exception as error:
            outcome = "left" if isinstance(error, ChannelClosed) else "error"
            if not self._failed.done():
                self._failed.set_exception(error)
        finally:
            metrics.utterances.labels(listener.mode, outcome).inc()
            metrics.audio_s.labels(listener.mode).inc(listener.audio_s)
            log_event(
                "utterance",
                session=self._number,
                mode=listener.mode,
                outcome=outcome,
                audio_s=round(listener.audio_s, 3),
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
            is_waiting = self._work is not None and not self._work.done() and not self._announced
            if is_waiting:
                await asyncio.wait({self._work} if self._work else ())
                self._last_message_s = time.monotonic()
            elif idle_s >= timeout_s:
                raise _Idle(f"nothing came for {timeout_s:g} s")
            else:
                await asyncio.sleep(timeout_s - idle_s)

    async def _stop_when_told(self) -> None:
        """Finish the utterance that is open, and raise _Stopped."""
        await self._stopping.wait()
        if self._listener is not None:
            self._end(self._listener)
        await self._previous_done()
        raise _Stopped(SHUTDOWN_MESSAGE)

    def _judge(self, error: Exception) -> tuple[int, str]:
        """Return the close code for a failure and what the client is told."""
        own = {TooMuchAudio: TOO_BIG, _Idle: REFUSED, _MadeWay: TRY_LATER}.get(type(error))
        if own is not None:
            code, reason = own, str(error)
        else:
            code, reason = close_code(error), told(error)
            if is_outage(error):
                code, reason = TRY_LATER, f"{reason}; come again in {RETRY_AFTER_S} s"
        level = logging.ERROR if reason == GATEWAY_FAILED else logging.WARNING
        log_event(
            "session failed", level=level, session=self._number, code=code, error=logged(error)
        )
        return code, reason

    async def _tell(self, reason: str) -> None:
        """Send the client an error."""
        options = self._options or UtteranceOptions()
        reply = error_reply(options, reason, wants_end=self._wants_end)
        if self._realtime is not None:
            reply = event("error", error=reason)
        with contextlib.suppress(ChannelClosed):
            await self._channel.send(reply)
