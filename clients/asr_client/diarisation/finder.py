"""Finds out who speaks when from windows and their voices, as they come."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..results import SpeakerTurn
from ..speaker_count import SpeakerCount
from .clustering import find_speakers
from .gathering import Gathering
from .turns import make_turns
from .vectors import of_length_one

TimesMs = tuple[int, int]


@dataclass(frozen=True)
class KnownVoices:
    """Voices that have a name.

    Attributes:
        names: K of them.
        voices: float32 [K, D], of length one.
        threshold: the least cosine between a voice that is found and a known one.
    """

    names: Sequence[str]
    voices: NDArray[np.float32]
    threshold: float

    def name_of(self, voices: NDArray[np.float32]) -> dict[int, str]:
        """Tell which voices, [S, D] of length one, are known: number of the voice → name.

        Each name is given once at most, the nearest pair first.
        """
        cosines = voices @ self.voices.T
        pairs: dict[int, str] = {}
        for place in np.argsort(-cosines, axis=None).tolist():
            found, known = divmod(place, len(self.names))
            if cosines[found, known] < self.threshold:
                break
            if found not in pairs and self.names[known] not in pairs.values():
                pairs[found] = self.names[known]
        return pairs


class SpeakerFinder:
    """Takes the windows of a recording, and tells at the end who speaks when.

    What it keeps of a window are its times and the number of a group. The voices are kept as means
    of groups (`gathering`): four hours of speech, 28,800 windows, take 16 MB, and 123 at the end.

    Args:
        speakers: how many, or "auto".
        known: voices that have a name; None for none.
    """

    def __init__(self, speakers: SpeakerCount, known: KnownVoices | None = None) -> None:
        self._speakers = speakers
        self._known = known
        self._gathering = Gathering()
        self._times: list[TimesMs] = []

    def add(self, times: Sequence[TimesMs], voices: NDArray[np.float32]) -> None:
        """Take windows, in any order.

        Args:
            times: start and end in ms of each.
            voices: [n, D], of length one.
        """
        self._gathering.add(voices)
        self._times += times

    def turns(self) -> list[SpeakerTurn]:
        """Return who speaks when, in order.

        Speakers who are not known are "S1", "S2" … in the order of their first words.
        """
        groups = self._gathering.groups()
        if groups is None:
            return []
        order = np.lexsort(np.array(self._times).T[::-1])
        members = groups.members[order]
        labels = find_speakers(groups.means, members, self._speakers)
        names = self._names(groups.means[members], labels)
        times = [self._times[place] for place in order.tolist()]
        return make_turns(
            [(*each, names[label]) for each, label in zip(times, labels.tolist(), strict=True)]
        )

    def _names(self, windows: NDArray[np.float32], labels: NDArray[np.int64]) -> list[str]:
        """Return what each speaker is called, who are numbered in the order of their first words.

        Args:
            windows: [N, D], their voices.
            labels: int64 [N], whose they are.
        """
        count = int(labels.max()) + 1
        known: dict[int, str] = {}
        if self._known is not None:
            sums = [windows[labels == label].sum(axis=0) for label in range(count)]
            known = self._known.name_of(of_length_one(np.stack(sums)))
        numbers = itertools.count(1)
        return [known.get(label) or f"S{next(numbers)}" for label in range(count)]
