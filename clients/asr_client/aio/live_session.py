"""What both kinds of live session have in common: audio on its way, and what they say of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from asr_contract import SAMPLE_RATE

from ..audio.waveform import Waveform
from ..errors import AsrError, ClientClosed, SessionLost
from ..results import StreamUpdate
from ..streaming.audio import LiveAudio, LiveReader, Outbox
from ..streaming.protocol import Growing, UpdateReader

# Audio that may wait to be put on its way before `send` waits.
MAX_WAITING_SAMPLES = 5 * SAMPLE_RATE

_MAX_SHOWN = 100  # characters of the text in a message

Session = TypeVar("Session", bound="LiveSession")


class LiveSession:
    """Audio that was sent, and the text of it so far; to be used `async with`.

    Args:
        where: the server and its model, for messages.
    """

    _transcript: Growing  # what the answers give

    def __init__(self, where: str) -> None:
        self._where = where
        self._reader = LiveReader()
        self._outbox = Outbox()
        self._sent_samples = 0
        self._lost: AsrError | None = None
        self._sending = asyncio.Lock()
        self._changed = asyncio.Event()
        self._opened = False
        self._ending = False  # no more audio is taken

    async def __aenter__(self: Session) -> Session:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Begin."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave."""
        raise NotImplementedError

    async def send(self, audio: LiveAudio, *, sample_rate: int = SAMPLE_RATE) -> None:
        """Send audio; as `StreamSession.send`."""
        self._reader.check(audio, sample_rate)
        async with self._sending:
            self._check_usable()
            for piece in self._reader.read(audio, sample_rate):
                while self._outbox.samples and (
                    self._outbox.samples + piece.size > MAX_WAITING_SAMPLES
                ):
                    await self._changed.wait()
                    self._check_usable()
                self._hold(piece)
                self._go_on()
        await asyncio.sleep(0)  # whoever only sends must not keep the answers from being read

    async def updates(self) -> AsyncIterator[StreamUpdate]:
        """Yield each change of the text; as `StreamSession.updates`."""
        reader = UpdateReader(self._transcript)
        while True:
            update = reader.read()
            if update is not None:
                yield update
                if update.is_final:
                    return
                continue
            self._check_alive()
            if self._is_left:
                return
            await self._changed.wait()

    def hold_nothing(self) -> None:
        """Keep no audio for resuming: the caller keeps it, and starts a session anew with it."""

    @property
    def text(self) -> str:
        """The whole text so far, with what may still change."""
        return self._transcript.text

    @property
    def final_text(self) -> str:
        """The part of the text that will not change any more; `text` begins with it."""
        return self._transcript.final_text

    @property
    def partial_text(self) -> str:
        """The end of the text, which may still change."""
        return self._transcript.partial_text

    @property
    def tokens(self) -> list[str]:
        """The words or characters of `final_text`."""
        return list(self._transcript.tokens)

    @property
    def timestamps_ms(self) -> list[tuple[int, int]] | None:
        """(start, end) of each of `tokens` in ms; None when the model gives no times."""
        times = self._transcript.timestamps_ms
        return None if times is None else list(times)

    @property
    def sent_s(self) -> float:
        """Seconds of audio that were sent or wait to be sent."""
        return self._sent_samples / SAMPLE_RATE

    @property
    def acknowledged_s(self) -> float:
        """Seconds of audio that the server has answered for."""
        return self._transcript.acknowledged_samples / SAMPLE_RATE

    @property
    def _is_left(self) -> bool:
        """Whether `close` was called."""
        raise NotImplementedError

    def _go_on(self) -> None:
        """Do what more audio, or its end, allows."""
        raise NotImplementedError

    def _hold(self, piece: Waveform) -> None:
        """Take in audio, [samples] float32."""
        self._sent_samples += piece.size
        self._outbox.put(piece)

    def _notify(self) -> None:
        """Wake all who wait for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _check_usable(self) -> None:
        """Raise SessionLost, or ClientClosed if the session takes no more audio."""
        self._check_alive()
        if not self._opened:
            raise ClientClosed(f"{self._where}: the session is not open; use `with`, or open()")
        if self._ending or self._is_left:
            raise ClientClosed(f"{self._where}: the session is finished or closed")

    def _check_alive(self) -> None:
        """Raise SessionLost if the session is."""
        cause = self._lost
        if cause is None:
            return
        text = self.text if len(self.text) <= _MAX_SHOWN else "…" + self.text[-_MAX_SHOWN:]
        raise SessionLost(
            f"the session is lost: {cause} ({self.acknowledged_s:.2f} s of {self.sent_s:.2f} s "
            f"of audio were acknowledged; text so far: {text!r})",
            acknowledged_s=self.acknowledged_s,
            sent_s=self.sent_s,
            text=self.text,
            server_message=cause.server_message,
        ) from cause
