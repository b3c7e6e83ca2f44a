"""Memory of the arrays that come from Triton, and of those that come and go with each batch."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
LARGEST_KEPT = 32 * 2**20  # bytes; glibc takes no more as M_MMAP_THRESHOLD
_KEPT = 512 * 2**20


def own(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that outlives the request or response that it came with.

    That is the same one where Triton has copied the tensor into it, as release 24.10 does.
    """
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return array if owner.flags.owndata else array.copy()


def keep_freed_memory() -> None:
    """Let glibc keep what is freed, for the next array, where it would give it to the system.

    Asked of the system anew, each page of an array is a fault and is cleared first, which costs
    more than to copy what goes there. Arrays of up to `LARGEST_KEPT` each are kept, in one pool for
    all threads, so that they use each other's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc's own
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
