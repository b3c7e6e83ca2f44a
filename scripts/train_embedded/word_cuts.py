"""Short stretches of recordings, cut between words: new texts, with less to tell a language by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]

FRAME_MS = 10
LONGEST_CUT = 6
MARGIN_FRAMES = 4
SPACED_LANGUAGES = ("en", "ko")


def cut_words(
    rng: np.random.Generator, fbank: Features, record: dict[str, Any]
) -> tuple[Features, dict[str, Any]]:
    """One to six words of a recording, with their text and times.

    Args:
        fbank: log mel energies [frames, 80].
        record: of the recording. If not all of its words have times, or there is but one, both
            come back as they are.

    Returns:
        The filter banks, and a record whose written and punctuated texts are None: unknown.
    """
    words = record["words"]
    space = " " if record["language"] in SPACED_LANGUAGES else ""
    if len(words) < 2 or space.join(text for text, _ in words) != record["spoken"]:
        return fbank, record
    count = int(rng.integers(1, min(len(words), LONGEST_CUT + 1)))
    first = int(rng.integers(0, len(words) - count + 1))
    taken = words[first : first + count]
    begin = 0
    if first:
        begin = max(0, taken[0][1] // FRAME_MS - int(rng.integers(0, MARGIN_FRAMES)))
    following = words[first + count :]
    end = following[0][1] // FRAME_MS if following else len(fbank)
    part = fbank[begin:end]
    return part, {
        **record,
        "spoken": space.join(text for text, _ in taken),
        "punctuated": None,
        "written": None,
        "frames": len(part),
        "words": [(text, start_ms - begin * FRAME_MS) for text, start_ms in taken],
    }
