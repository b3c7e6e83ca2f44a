"""Stretches of time in which one speaker speaks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ..results import SpeakerTurn

SHORTEST_TURN_MS = 700  # between two turns of another speaker, a shorter one is taken for an error


def make_turns(windows: Sequence[tuple[int, int, str]]) -> list[SpeakerTurn]:
    """Join windows (start, end, speaker), in order of time, to turns.

    A short turn in the middle of another's goes to that one: a window on the way from one speech
    sound to the next resembles neither.
    """
    turns = _joined([SpeakerTurn(name, start_ms, end_ms) for start_ms, end_ms, name in windows])
    for index in range(1, len(turns) - 1):
        before, turn, after = turns[index - 1 : index + 2]
        touches = before.end_ms == turn.start_ms and turn.end_ms == after.start_ms
        is_short = turn.end_ms - turn.start_ms < SHORTEST_TURN_MS
        if touches and is_short and before.speaker == after.speaker:
            turns[index] = SpeakerTurn(before.speaker, turn.start_ms, turn.end_ms)
    return _joined(turns)


def _joined(turns: Sequence[SpeakerTurn]) -> list[SpeakerTurn]:
    """Join turns of one speaker that touch."""
    joined: list[SpeakerTurn] = []
    for turn in turns:
        last = joined[-1] if joined else None
        if last is not None and last.speaker == turn.speaker and last.end_ms == turn.start_ms:
            joined[-1] = SpeakerTurn(turn.speaker, last.start_ms, turn.end_ms)
        else:
            joined.append(turn)
    return joined


class Timeline:
    """Tells who speaks at a time.

    Args:
        turns: in order, none overlapping.
    """

    def __init__(self, turns: Sequence[SpeakerTurn]) -> None:
        self._turns = turns
        self._starts = [turn.start_ms for turn in turns]

    def speaker_at(self, time_ms: float) -> str | None:
        """Return who speaks, or in a pause who spoke or speaks nearest; None without turns."""
        index = bisect_right(self._starts, time_ms) - 1
        near = [self._turns[k] for k in (index, index + 1) if 0 <= k < len(self._turns)]
        if not near:
            return None
        nearest = min(near, key=lambda turn: max(turn.start_ms - time_ms, time_ms - turn.end_ms))
        return nearest.speaker
