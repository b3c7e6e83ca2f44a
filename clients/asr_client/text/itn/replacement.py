"""What is to be written in the place of what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Replacement:
    """A number of the spoken text: text[start:end] is to be written as `written`."""

    start: int
    end: int
    written: str
