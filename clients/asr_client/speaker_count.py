"""How many speakers are asked for."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, TypeAlias

from .errors import OptionError

SpeakerCount: TypeAlias = int | Literal["auto"]

MAX_SPEAKERS = 50


def checked_speakers(speakers: SpeakerCount | None) -> None:
    """Check how many speakers a recording is said to have: a number, "auto", or None to not ask.

    Raises:
        OptionError: it is neither, or what finds them is not installed.
    """
    if speakers is None:
        return
    is_count = isinstance(speakers, int) and not isinstance(speakers, bool)
    if not (speakers == "auto" or (is_count and 1 <= int(speakers) <= MAX_SPEAKERS)):
        raise OptionError(f"speakers: expected 1 to {MAX_SPEAKERS}, or 'auto'; got {speakers!r}")
    if find_spec("scipy") is None:
        raise OptionError(
            "speakers: finding them needs SciPy, which is not installed: pip install "
            '"triton-asr[speakers]"'
        )


def read_speakers(text: str) -> SpeakerCount:
    """Read a number of speakers, or "auto".

    Raises:
        OptionError: it is neither.
    """
    speakers: SpeakerCount
    if text.isascii() and text.isdigit():
        speakers = int(text)
    elif text == "auto":
        speakers = "auto"
    else:
        raise OptionError(f"speakers: expected 1 to {MAX_SPEAKERS}, or 'auto'; got {text!r}")
    checked_speakers(speakers)
    return speakers
