"""How the recordings of an archive end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .manifest import Entry


@dataclass(frozen=True)
class Done:
    """A recording that was recognised.

    Attributes:
        text: what is to be written of it, whole lines.
        duration_s: of its audio.
        took_s: how long it took.
        warnings: what is wrong with the audio.
    """

    text: str
    duration_s: float
    took_s: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A recording that cannot be recognised, and why."""

    error: str


@dataclass(frozen=True)
class Lost:
    """A recording whose worker is gone, or has lost its server; another may take it.

    Attributes:
        reason: what is gone.
        may_be_the_reason: whether the recording may have ended the worker.
    """

    reason: str
    may_be_the_reason: bool = True


Settled: TypeAlias = Done | Failed


@dataclass(frozen=True)
class Task:
    """A recording on its way; `index` is its place among those that are left."""

    index: int
    entry: Entry


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    task: Task
    outcome: Settled | Lost
