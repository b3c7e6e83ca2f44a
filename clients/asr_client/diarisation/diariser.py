"""Hears the voices of a recording's segments by the server's model, while it is transcribed."""

from __future__ import annotations

import asyncio

from ..files.options import FileOptions
from ..files.segments import Segment
from ..known_speakers import KnownSpeakers
from ..results import SpeakerTurn
from ..speaker_count import SpeakerCount
from ..transport import Transport
from .enrolment import enrol
from .finder import SpeakerFinder
from .voices import embed_windows
from .windows import windows_of


class Diariser:
    """Embeds the windows of segments as they come, and finds the speakers at the end.

    Args:
        transport, url: the server.
        speakers: how many, or "auto".
        known: speakers who are called by their names; None for none.
        timeout_s: of each request.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        speakers: SpeakerCount,
        known: KnownSpeakers | None,
        timeout_s: float,
    ) -> None:
        self._transport, self._url = transport, url
        self._speakers, self._known = speakers, known
        self._timeout_s = timeout_s
        self._finder = SpeakerFinder(speakers)
        self._adding = asyncio.Lock()

    @classmethod
    def wanted(
        cls, transport: Transport, url: str, options: FileOptions, timeout_s: float
    ) -> Diariser | None:
        """Return what options ask for; None where speakers are not told apart."""
        if options.speakers is None:
            return None
        return cls(transport, url, options.speakers, options.known, timeout_s)

    async def begin(self) -> None:
        """Learn the known voices, before any segment: what is wrong with them is said first.

        Raises:
            OptionError: a recording of a known speaker cannot be used.
            AsrError: the others of `asr_client.errors`.
        """
        if self._known is not None:
            voices = await enrol(self._transport, self._url, self._known, self._timeout_s)
            self._finder = SpeakerFinder(self._speakers, voices)

    async def hear(self, segment: Segment) -> None:
        """Take a segment; several at a time, in any order.

        Raises:
            AsrError: of `asr_client.errors`.
        """
        windows = list(windows_of(segment))
        if not windows:
            return
        voices = await embed_windows(self._transport, windows, self._timeout_s)
        times = [(window.start_ms, window.end_ms) for window in windows]
        async with self._adding:  # a block's clustering takes a while
            await asyncio.to_thread(self._finder.add, times, voices)

    async def turns(self) -> list[SpeakerTurn]:
        """Return who speaks when; as `SpeakerFinder.turns`."""
        return await asyncio.to_thread(self._finder.turns)
