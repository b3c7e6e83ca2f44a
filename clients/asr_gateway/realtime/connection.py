"""One connection of the Realtime API: which event of a client does what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from asr_client import AudioError

from ..live import Admission, Channel, ChannelClosed, LiveSession
from ..shared import Gateway, told
from .events import cleared, error, new_id, session_event
from .options import SessionOptions
from .requests import RequestProblem, event_id_of, read_event, wrong
from .updates import updated, updated_as_before
from .utterance import Conversation, RealtimeUtterance

_LEAST_ITEM_S = 0.1  # which a client can commit, as OpenAI has it

Do = Callable[[dict[str, Any]], Awaitable[None]]


class RealtimeConnection(LiveSession):
    """Speaks the API on one channel.

    Args:
        options: of the session, before the client has said anything.
        older: whether the client speaks the older form.
    """

    door = "realtime"

    def __init__(
        self,
        gateway: Gateway,
        channel: Channel,
        admission: Admission,
        *,
        options: SessionOptions,
        older: bool,
    ) -> None:
        super().__init__(gateway, channel, admission)
        self._options = options
        self._id = new_id("sess")
        self._conversation = Conversation(self._send, older=older)
        self._utterance: RealtimeUtterance | None = None  # takes audio
        self._heard_s = 0.0  # by the utterances before
        self._half = b""  # of a sample, whose other byte comes with the next audio
        self._events: dict[str, Do] = {
            "session.update": self._update,
            "transcription_session.update": self._update_as_before,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
        }

    async def _read(self) -> None:
        await self._tell_session("created")
        await super()._read()

    async def _on_text(self, text: str) -> None:
        event_id = None
        try:
            event = read_event(text)
            event_id = event_id_of(event)
            await self._do(event)
        except RequestProblem as problem:
            self._gateway.metrics.refused.labels("message").inc()
            code, param = problem.code, problem.param
            await self._send(error(str(problem), code=code, param=param, event_id=event_id))

    async def _on_audio(self, data: bytes) -> None:
        self._gateway.metrics.refused.labels("message").inc()
        await self._send(error("expected events as text, audio within them; got a binary message"))

    async def _do(self, event: dict[str, Any]) -> None:
        """Do what an event says.

        Raises:
            RequestProblem: it cannot be done.
        """
        kind = event.get("type")
        do = self._events.get(kind) if isinstance(kind, str) else None
        if do is None:
            expected = f"one of {', '.join(self._events)} (sessions here transcribe)"
            raise wrong("type", expected, kind)
        await do(event)

    async def _update(self, event: dict[str, Any]) -> None:
        session = event.get("session")
        is_newer = isinstance(session, dict) and "type" in session  # whatever was said before
        await self._take(session, older=self._conversation.older and not is_newer)

    async def _update_as_before(self, event: dict[str, Any]) -> None:
        await self._take(event.get("session"), older=True)

    async def _take(self, session: Any, *, older: bool) -> None:
        """Take what a client says of the session, and speak to it in the same form from here on."""
        read = updated_as_before if older else updated
        options = read(self._options, session, self._gateway.models)
        self._conversation.older = older
        await self._change(options)

    async def _change(self, options: SessionOptions) -> None:
        """Take other options. What is open is recognised with the old ones, and ends where it is.

        Without a VAD it goes on to the client's commit; but a VAD that is switched on makes an item
        of it, as no commit may follow.
        """
        utterance, before, self._options = self._utterance, self._options, options
        if options.format != before.format:
            self._half = b""
        if utterance is not None and not before.recognises_like(options):
            if utterance.has_vad:
                utterance.end()
                self._utterance_ended(utterance)
            elif options.turn_detection is not None:
                await utterance.commit()
                self._utterance_ended(utterance)
        await self._tell_session("updated")

    async def _append(self, event: dict[str, Any]) -> None:
        audio_format = self._options.format
        audio = audio_format.decode(event.get("audio"))
        if isinstance(audio, bytes):  # of 16 bits: a commit does not part a sample
            audio = self._half + audio
            whole = len(audio) // 2 * 2
            audio, self._half = audio[:whole], audio[whole:]
        if not len(audio):
            return
        if self._utterance is None:
            await self._previous_done()
            self._utterance = RealtimeUtterance(
                self._gateway, self._options, self._conversation, self._heard_s
            )
            self._start(self._utterance)
        try:
            await self._utterance.put(audio, audio_format.rate, audio_format.seconds(audio))
        except AudioError as problem:
            raise RequestProblem(told(problem), param="audio", code="invalid_audio") from None

    async def _commit(self, event: dict[str, Any]) -> None:
        utterance = self._utterance
        appended_s = 0.0 if utterance is None else utterance.appended_s
        if utterance is None or appended_s < _LEAST_ITEM_S:
            raise RequestProblem(
                f"expected at least {1000 * _LEAST_ITEM_S:g} ms of audio to commit; the buffer "
                f"has {1000 * appended_s:.0f} ms",
                code="input_audio_buffer_commit_empty",
            )
        await utterance.commit()
        self._utterance_ended(utterance)

    async def _clear(self, event: dict[str, Any]) -> None:
        self._half = b""
        if self._utterance is not None:
            self._utterance.discard()
            self._utterance_ended(self._utterance)
        await self._send(cleared())

    async def _end_audio(self) -> None:
        if self._utterance is not None:
            await self._utterance.commit()
            self._utterance_ended(self._utterance)

    def _utterance_ended(self, utterance: RealtimeUtterance) -> None:
        """Let the next audio begin another utterance."""
        self._heard_s += utterance.appended_s
        self._utterance = None

    def _expects_audio(self) -> bool:
        return self._utterance is not None

    async def _tell(self, failure: Exception, reason: str) -> None:
        with suppress(ChannelClosed):
            await self._send(error(reason, kind="server_error", code="session_ended"))

    async def _tell_session(self, event: str) -> None:
        older = self._conversation.older
        await self._send(session_event(event, self._id, self._options, older=older))

    async def _send(self, event: dict[str, Any]) -> None:
        """Send an event under a name of its own."""
        await self._channel.send({"event_id": new_id("event"), **event})
