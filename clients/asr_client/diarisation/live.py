"""Who speaks while it is spoken: a name for each stretch at once, corrected at the end."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from ..files.segments import Segment
from ..results import SpeakerTurn
from ..speaker_count import MAX_SPEAKERS, SpeakerCount
from ..transport import Transport
from .finder import KnownVoices, SpeakerFinder, TimesMs
from .vectors import of_length_one
from .voices import embed_windows
from .windows import windows_of

SAME_SPEAKER_COSINE = 0.5
"""How alike a stretch's voice is to that of a speaker who has spoken, to be taken for the same."""


class SegmentVoices:
    """The windows of a stretch of speech: times in ms from its start, voices [n, D]."""

    def __init__(self, times: list[TimesMs], voices: NDArray[np.float32]) -> None:
        self.times = times
        self.voices = voices


async def hear_voices(
    transport: Transport, segment: Segment, timeout_s: float
) -> SegmentVoices | None:
    """Ask the server whose voices a segment holds; None for one that is too short.

    Raises:
        AsrError: of `asr_client.errors`.
    """
    windows = list(windows_of(segment))
    if not windows:
        return None
    start_ms = segment.start_ms
    times = [(each.start_ms - start_ms, each.end_ms - start_ms) for each in windows]
    return SegmentVoices(times, await embed_windows(transport, windows, timeout_s))


class LiveSpeakers:
    """Names stretches of speech as they come, and tells at the end who spoke when.

    A name that was told keeps its meaning: at the end each speaker has the name that most of his
    speech was given.

    Args:
        speakers: how many, or "auto".
        known: voices that have a name; None for none.
    """

    def __init__(self, speakers: SpeakerCount, known: KnownVoices | None = None) -> None:
        self._most = MAX_SPEAKERS if speakers == "auto" else speakers
        self._known = known
        self._finder = SpeakerFinder(speakers, known)
        self._sums: dict[str, NDArray[np.float32]] = {}
        self._told: list[SpeakerTurn] = []
        self._found = 0  # speakers without a name of their own

    def name(self, start_ms: int, heard: SegmentVoices) -> tuple[str, float]:
        """Take the next stretch of speech, and tell whose it probably is.

        Returns:
            a name, and the cosine between the stretch's voice and that speaker's so far, or the
            known one's; 1 for a new speaker.
        """
        times = [(start_ms + begin, start_ms + end) for begin, end in heard.times]
        self._finder.add(times, heard.voices)
        total = np.asarray(heard.voices.sum(axis=0), np.float32)
        name, cosine = self._nearest(of_length_one(total))
        self._sums[name] = self._sums.get(name, np.zeros_like(total)) + total
        self._told.append(SpeakerTurn(name, times[0][0], times[-1][1]))
        return name, cosine

    def turns(self) -> list[SpeakerTurn]:
        """Return who speaks when, in order, now that all was heard."""
        turns = self._finder.turns()
        names = self._corrected(turns)
        return [SpeakerTurn(names[turn.speaker], turn.start_ms, turn.end_ms) for turn in turns]

    def _nearest(self, voice: NDArray[np.float32]) -> tuple[str, float]:
        if self._known is not None and (known := self._known.name_of(voice[None]).get(0)):
            own = self._known.voices[list(self._known.names).index(known)]
            return known, float(own @ voice)
        cosines = {name: float(of_length_one(total) @ voice) for name, total in self._sums.items()}
        nearest = max(cosines, key=cosines.__getitem__, default=None)
        is_new = nearest is None or cosines[nearest] < SAME_SPEAKER_COSINE
        if nearest is not None and (not is_new or len(self._sums) >= self._most):
            return nearest, cosines[nearest]
        self._found += 1
        return f"S{self._found}", 1.0

    def _corrected(self, turns: list[SpeakerTurn]) -> dict[str, str]:
        """Return final names → those to tell."""
        shared: Counter[tuple[str, str]] = Counter()
        first = 0
        for told in self._told:  # both are in order, and neither overlaps itself
            while first < len(turns) and turns[first].end_ms <= told.start_ms:
                first += 1
            for turn in turns[first:]:
                if turn.start_ms >= told.end_ms:
                    break
                shared[turn.speaker, told.speaker] += min(turn.end_ms, told.end_ms) - max(
                    turn.start_ms, told.start_ms
                )
        known = set(self._known.names) if self._known is not None else set()
        final = list(dict.fromkeys(turn.speaker for turn in turns))
        names = {name: name for name in final if name in known}
        for (own, told_name), _ in shared.most_common():
            if own not in names and told_name not in names.values() and told_name not in known:
                names[own] = told_name
        for own in final:
            if own not in names:
                self._found += 1
                names[own] = f"S{self._found}"
        return names
