"""The synchronous streaming session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

from asr_contract import SAMPLE_RATE

from ..aio.session import AsyncStreamSession
from ..aio.stretches import AsyncStretchSession
from ..errors import ClientClosed
from ..results import Sentence, StreamUpdate, Transcript
from ..streaming import LiveAudio
from .background import Background


class StreamSession:
    """Live recognition of one audio stream; safe to use from several threads at once.

    `Client.stream` makes it, `with` starts the sequence on the server and always ends it there.
    Answers are taken in on the client's own thread, which all its sessions share: what has been
    recognised can be read at any time, and `updates` waits for more while another thread sends.

    Every request of the session ends with its answer or after the session's timeout. When one
    fails the session is lost: every call raises `SessionLost`, which says how far it came. Only
    with several servers, and for the server's sake, it goes on with another: the audio from the
    last pause on is heard again there, and a warning of the transcript says so. A session that
    pauses is kept: every few seconds the server is told that it is still there, and one that is
    dropped without `close` is ended.
    """

    def __init__(
        self, background: Background, inner: AsyncStreamSession | AsyncStretchSession
    ) -> None:
        self._background = background
        self._inner = inner
        background.when_dropped(self, inner.close)

    def __enter__(self) -> StreamSession:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def sequence_id(self) -> int:
        """Its number on the server, as the server's log and messages have it.

        0 where there is none: a model of whole recordings has no sequence.
        """
        return self._inner.sequence_id

    @property
    def text(self) -> str:
        """The whole text so far, with what may still change."""
        return self._inner.text

    @property
    def final_text(self) -> str:
        """The part of the text that will not change any more; `text` begins with it."""
        return self._inner.final_text

    @property
    def partial_text(self) -> str:
        """The end of the text, which may still change."""
        return self._inner.partial_text

    @property
    def sentences(self) -> list[Sentence]:
        """Stretches of speech that have ended, with their languages; of models of recordings."""
        return self._inner.sentences

    @property
    def tokens(self) -> list[str]:
        """The words or characters of `final_text`."""
        return self._inner.tokens

    @property
    def timestamps_ms(self) -> list[tuple[int, int]] | None:
        """(start, end) of each of `tokens` in ms; None when the model gives no times."""
        return self._inner.timestamps_ms

    @property
    def sent_s(self) -> float:
        """Seconds of audio that were sent or wait to be sent."""
        return self._inner.sent_s

    @property
    def acknowledged_s(self) -> float:
        """Seconds of audio that the server has answered for."""
        return self._inner.acknowledged_s

    def open(self) -> None:
        """Start the sequence on the server; `with` does it.

        Raises:
            SessionLimitReached: the server has as many sessions open as it allows.
            RequestRejected: it does not know this `chunk_size`.
            AsrError: the others of `errors`, for what went wrong on the way or on the server.
        """
        self._background.call(self._inner.open)

    def send(self, audio: LiveAudio, *, sample_rate: int = SAMPLE_RATE) -> None:
        """Send audio, of any length; returns when it is taken, not when it is recognised.

        Some seconds of audio may be on the way. A server that is slower than the caller makes
        `send` wait, so that nothing piles up.

        Args:
            audio: bytes of 16-bit little-endian mono samples, or an array [samples] or
                [samples, channels]: float in [-1, 1] or integers at full scale.
            sample_rate: of `audio`, in Hz; other rates are resampled as one stream.

        Raises:
            AudioError: the audio cannot be used; nothing of it was sent, the session goes on.
            SessionLost: the session failed, now or before.
            ClientClosed: it is not open, or finished, or was closed meanwhile.
        """
        self._background.call(lambda: self._inner.send(audio, sample_rate=sample_rate))

    def finish(self) -> Transcript:
        """End the stream and return the whole transcript, with its tokens and their times.

        It may be asked for again.

        Raises:
            SessionLost: the session failed, now or before.
            ClientClosed: it is not open, or was closed unfinished.
        """
        return self._background.call(self._inner.finish)

    def updates(self) -> Iterator[StreamUpdate]:
        """Yield each change of the text, the last with `is_final`; waits for the next one.

        Meant for a thread beside the one that sends. Whoever is slower than the answers gets
        fewer and larger updates. It ends when the session is closed unfinished.

        Raises:
            SessionLost: the session failed.
        """
        updates = self._inner.updates()
        while (update := self._background.call(lambda: _next(updates))) is not None:
            yield update

    def close(self) -> None:
        """Leave the session; unless it is finished, what was not answered is given up.

        The server is told, so that it forgets the session at once. This takes a few seconds at
        most, however the server behaves, and raises nothing.
        """
        with suppress(ClientClosed):  # the client has told the server then
            self._background.call(self._inner.close)


async def _next(updates: AsyncIterator[StreamUpdate]) -> StreamUpdate | None:
    """Await the next update; None after the last."""
    return await anext(updates, None)
