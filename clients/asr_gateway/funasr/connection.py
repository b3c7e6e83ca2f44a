"""One connection of FunASR's protocol: which message begins, feeds and ends an utterance."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from ..live import TOO_BIG, Admission, Channel, ChannelClosed, LiveSession
from ..shared import Gateway, log_event
from .early_audio import EarlyAudio
from .listener import Listener, is_live, make_listener
from .protocol import MessageError, UtteranceOptions, parse_message
from .realtime import Command, RealtimeListener, RealtimeSession, event, read_command, setting
from .recorded import TooMuchAudio
from .replies import end_acknowledgement, error_reply, refusal_reply, text_of


class Connection(LiveSession):
    """Speaks the protocol on one channel."""

    door = "funasr"
    close_codes: ClassVar = {TooMuchAudio: TOO_BIG}

    def __init__(self, gateway: Gateway, channel: Channel, admission: Admission) -> None:
        super().__init__(gateway, channel, admission)
        self._options: UtteranceOptions | None = None  # None before the first text message
        self._early = EarlyAudio(gateway.settings.max_upload_bytes)
        self._notices: list[str] = []  # for the utterance that begins next
        self._announced = False  # an utterance may have audio, or has
        self._wants_end = False
        self._realtime: RealtimeSession | None = None  # of a client that speaks by commands
        self._wants_stopped = False
        self._listener: Listener | None = None  # takes audio

    def _has_audio(self) -> bool:
        return bool(self._early.received_bytes)

    def _expects_audio(self) -> bool:
        return self._announced

    def _let_go(self) -> None:
        self._early.close()

    async def _end_audio(self) -> None:
        if self._listener is not None:
            self._listener.hand_over()
            self._listener, self._announced = None, False

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
            if not self._announced:
                await self._previous_done()  # which may be what another STOP has ended
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
                self._gateway, options, self._send, notices, client=self.client
            )
        self._start(listener)
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

    async def _utterance_done(self) -> None:
        """Acknowledge the end, to a client that asked for it."""
        if self._wants_end and self._options is not None:
            await self._channel.send(end_acknowledgement(self._options))
        if self._realtime is not None and self._wants_stopped:
            await self._channel.send(event("stopped"))

    async def _tell(self, error: Exception, reason: str) -> None:
        options = self._options or UtteranceOptions()
        reply = error_reply(options, reason, wants_end=self._wants_end)
        if self._realtime is not None:
            reply = event("error", error=reason)
        with suppress(ChannelClosed):
            await self._channel.send(reply)
