"""Finds out who speaks when in one recording, while it is transcribed."""

from __future__ import annotations

import asyncio

from ..files.segments import Segment
from ..results import SpeakerTurn
from ..speaker_count import SpeakerCount
from ..transport import Transport
from .clustering import find_speakers
from .gathering import Gathering
from .turns import make_turns
from .voices import MAX_ROWS, parse_voices, voice_request
from .windows import Window, windows_of


class Diariser:
    """Embeds the windows of segments as they come, and finds the speakers at the end.

    What it keeps of a window are its times and the number of a group. The voices are kept as means
    of groups (`gathering`): four hours of speech, 28,800 windows, take some 20 MB.

    Args:
        transport: to the server.
        speakers: how many, or "auto".
        timeout_s: of each request.
    """

    def __init__(self, transport: Transport, speakers: SpeakerCount, timeout_s: float) -> None:
        self._transport = transport
        self._speakers = speakers
        self._timeout_s = timeout_s
        self._gathering = Gathering()
        self._times: list[tuple[int, int]] = []
        self._adding = asyncio.Lock()

    async def hear(self, segment: Segment) -> None:
        """Take a segment; several at a time, in any order.

        Raises:
            AsrError: of `asr_client.errors`.
        """
        windows = list(windows_of(segment))
        for first in range(0, len(windows), MAX_ROWS):
            await self._embed(windows[first : first + MAX_ROWS])

    async def _embed(self, windows: list[Window]) -> None:
        request = voice_request([window.waveform for window in windows])
        outputs = await self._transport.infer(request, self._timeout_s)
        embeddings = parse_voices(outputs, len(windows))
        async with self._adding:  # a block's clustering takes a while
            await asyncio.to_thread(self._gathering.add, embeddings)
            self._times += [(window.start_ms, window.end_ms) for window in windows]

    async def turns(self) -> list[SpeakerTurn]:
        """Return who speaks when, in order, as "S1", "S2" … in the order of their first words."""
        return await asyncio.to_thread(self._turns)

    def _turns(self) -> list[SpeakerTurn]:
        groups = self._gathering.groups()
        if groups is None:
            return []
        labels = find_speakers(groups.means, groups.sizes, self._speakers)[groups.members]
        windows = sorted(
            (start_ms, end_ms, int(label))
            for (start_ms, end_ms), label in zip(self._times, labels, strict=True)
        )
        names: dict[int, str] = {}
        for *_, label in windows:
            names.setdefault(label, f"S{len(names) + 1}")
        return make_turns([(start_ms, end_ms, names[label]) for start_ms, end_ms, label in windows])
