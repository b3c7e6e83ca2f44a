"""Memory of the arrays that come from Triton, and of those that come and go with each batch."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
LARGEST_KEPT = 32 * 2**20  # bytes; glibc takes no more as M_MMAP_THRESHOLD
_KEPT = 512 * 2**20


def concatenate(_: str, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays [rows, ...] as a new one."""
    return np.concatenate(arrays)


class JoinedArrays(threading.local):
    """Arrays that a thread joins others in, kept for its next batch.

    Of any size, which `keep_freed_memory` cannot keep: the caches of 100 windows of full-size
    streaming Paraformer are 33 MB. What was joined is the thread's until it joins again.
    """

    def __init__(self) -> None:
        self._bytes: dict[str, NDArray[np.uint8]] = {}

    def concatenate(self, name: str, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Return arrays [rows, ...] of one type as one.

        Args:
            name: of the input; each has memory of its own.
            arrays: alike but for their rows.
        """
        dtype = arrays[0].dtype
        if dtype.hasobject:
            return np.concatenate(arrays)
        shape = (sum(map(len, arrays)), *arrays[0].shape[1:])
        size = math.prod(shape) * dtype.itemsize
        if size > len(self._bytes.get(name, b"")):
            self._bytes[name] = np.empty(size, np.uint8)
        joined = self._bytes[name][:size].view(dtype).reshape(shape)
        return np.concatenate(arrays, out=joined)


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
