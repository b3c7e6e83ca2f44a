"""What both kinds of live session say of themselves."""

from __future__ import annotations

from typing import TypeVar

from asr_contract import SAMPLE_RATE

from ..errors import AsrError, SessionLost
from ..streaming.protocol import Growing

_MAX_SHOWN = 100  # characters of the text in a message

Session = TypeVar("Session", bound="LiveSession")


class LiveSession:
    """Audio that was sent, and the text of it so far; to be used `async with`."""

    _transcript: Growing
    _sent_samples = 0
    _lost: AsrError | None = None

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

    def hold_nothing(self) -> None:
        """Keep no audio to go on with another server: for who keeps it himself, and begins anew."""

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
