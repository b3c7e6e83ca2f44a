"""Frames that a header cut in two: whether what stands before it goes on behind it.

Whoever puts a header before every piece of a stream often cuts the stream anywhere, at odd bytes
too. The last bytes of one piece are then the beginning of the frame whose rest is first in the
next; taken without them, everything behind is noise.
"""

from __future__ import annotations

import numpy as np

from ..samples import PcmFormat

LOOK_FRAMES = (512, 8192)
"""How many frames behind the header are looked at: first, and if those do not tell."""

_LEAST_FRAMES = 32

# Misread bytes are noise of full scale; sound differs less from sample to sample by far.
_CLEAR = 2.0


def goes_on(begun: bytes, behind: bytes, form: PcmFormat) -> bool | None:
    """Return whether the bytes behind a header complete a frame that was begun before it.

    Args:
        begun: the part of a frame that stands before the header.
        behind: the first bytes behind it.
        form: of both.

    Returns:
        None where both ways sound alike (silence, noise of full scale), or there is too little.
    """
    if len(behind) < _LEAST_FRAMES * form.frame_bytes:
        return None
    alone, joined = _roughness(behind, form), _roughness(begun + behind, form)
    if alone > _CLEAR * joined:
        return True
    return False if joined > _CLEAR * alone else None


def _roughness(data: bytes, form: PcmFormat) -> float:
    """Return how much samples differ from those before them, in the mean."""
    whole = len(data) // form.frame_bytes * form.frame_bytes
    samples = np.clip(np.nan_to_num(form.decode(data[:whole])), -2, 2)
    return float(np.abs(np.diff(samples, axis=0)).mean())
