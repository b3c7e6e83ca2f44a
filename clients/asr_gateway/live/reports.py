"""Reports on an utterance that is recognised while it is spoken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from asr_client import Sentence
from asr_client.diarisation import SegmentVoices


@dataclass(frozen=True)
class Partial:
    """New text of the stretch of speech number `index`, which is still spoken.

    Attributes:
        text: what is new; a partial text is never taken back, but by its sentence.
        first: nothing of this stretch was reported before.
        start_ms: where the stretch begins in the utterance.
        end_ms: where its last word ends in the utterance; None if unknown.
        heard_ms: how much of the utterance had to be heard for it.
    """

    text: str
    index: int
    first: bool
    start_ms: int
    end_ms: int | None
    heard_ms: float


@dataclass(frozen=True)
class Spoken:
    """The stretch of speech number `index` after the second pass; `heard_ms` as in `Partial`.

    `voices`: who speaks in it, where that is asked for and it is long enough.
    """

    sentence: Sentence
    index: int
    heard_ms: float
    voices: SegmentVoices | None = None


@dataclass(frozen=True)
class Bound:
    """Something about the stretch of speech number `index` that is no text.

    Attributes:
        kind: "began" and "ended" are told as soon as the VAD says so, whatever waits to be
            reported of other stretches; "reported" comes behind the last text of the stretch, of
            which there may be none.
        at_ms: where it begins, for "began", else where it ends, in the utterance.
    """

    kind: Literal["began", "ended", "reported"]
    index: int
    at_ms: int


Report = Callable[[Partial | Spoken | Bound], Awaitable[None]]
