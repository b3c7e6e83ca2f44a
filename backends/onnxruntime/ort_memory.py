"""Memory of an instance's process on a GPU."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_LARGEST = 32 * 2**20  # bytes; glibc takes no more as M_MMAP_THRESHOLD
_KEPT = 512 * 2**20


def keep_freed_memory() -> None:
    """Let glibc keep what is freed, for the next array, where it would give it to the system.

    A GPU takes batches of some MB every few milliseconds. Asked of the system anew, each page of
    their arrays is a fault and is cleared first, which costs more than to copy what goes there.
    Kept are arrays of up to 32 MB each; one pool for all threads, so that they use each other's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc's own
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
