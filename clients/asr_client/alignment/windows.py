"""Cuts a recording of any length into windows that overlap, such that each frame has context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_contract import LEVEL_MS, ROW_MS, SAMPLE_RATE, SAMPLES_PER_MS

from ..audio.waveform import Waveform

FRAME_SAMPLES = ROW_MS * SAMPLES_PER_MS
LEVEL_SAMPLES = LEVEL_MS * SAMPLES_PER_MS

# 24 s that count, and 2 s on either side that they are heard with.
KEPT_FRAMES = 400
CONTEXT_FRAMES = 33
KEPT_S = KEPT_FRAMES * FRAME_SAMPLES / SAMPLE_RATE
_KEPT = KEPT_FRAMES * FRAME_SAMPLES
_CONTEXT = CONTEXT_FRAMES * FRAME_SAMPLES

_SILENCE = 1e-8  # power, -80 dB


@dataclass(frozen=True)
class Window:
    """A part of the recording.

    Attributes:
        waveform: float32 [samples], with context.
        skipped: frames of context before those that count.
        kept: frames that count; None for all that follow, at the end of the recording.
    """

    waveform: Waveform
    skipped: int
    kept: int | None


class _Pieces:
    """Pieces that wait to be joined: once for many, however short they are."""

    def __init__(self) -> None:
        self._pieces: list[Waveform] = []
        self.samples = 0

    def add(self, waveform: Waveform) -> None:
        """Take the next [samples] float32; they are copied."""
        self._pieces.append(waveform.copy())
        self.samples += len(waveform)

    def joined(self) -> Waveform:
        """Return them as one, float32 [samples]."""
        self._pieces = [np.concatenate([np.zeros(0, np.float32), *self._pieces])]
        return self._pieces[0]

    def drop(self, samples: int) -> None:
        """Forget the first ones."""
        self._pieces = [self.joined()[samples:]]
        self.samples -= samples


class WindowCutter:
    """Takes a recording in pieces of any size, and gives its windows as they become complete."""

    def __init__(self) -> None:
        self._waiting = _Pieces()
        self._skipped = 0

    def accept(self, waveform: Waveform) -> Iterator[Window]:
        """Take [samples] float32; yield the windows that have their context."""
        self._waiting.add(waveform)
        while self._waiting.samples >= (needed := self._skipped * FRAME_SAMPLES + _KEPT + _CONTEXT):
            yield Window(self._waiting.joined()[:needed], self._skipped, KEPT_FRAMES)
            self._waiting.drop(self._skipped * FRAME_SAMPLES + _KEPT - _CONTEXT)
            self._skipped = CONTEXT_FRAMES

    def finish(self) -> Window:
        """Return the last window, which may be short."""
        return Window(self._waiting.joined(), self._skipped, None)


class LevelMeter:
    """How loud a recording is, in dB, for each 10 ms of it."""

    def __init__(self) -> None:
        self._waiting = _Pieces()
        self._levels: list[NDArray[np.float32]] = []

    def accept(self, waveform: Waveform) -> None:
        """Take the next [samples] float32."""
        self._waiting.add(waveform)
        whole = self._waiting.samples // LEVEL_SAMPLES * LEVEL_SAMPLES
        if not whole:
            return
        power = np.square(self._waiting.joined()[:whole].reshape(-1, LEVEL_SAMPLES)).mean(axis=1)
        self._waiting.drop(whole)
        self._levels.append((10 * np.log10(power + _SILENCE)).astype(np.float32))

    @property
    def levels(self) -> NDArray[np.float32]:
        """float32 [L] of all whole 10 ms."""
        return np.concatenate([np.zeros(0, np.float32), *self._levels])
