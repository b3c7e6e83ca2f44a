"""How many cores a process may use; a container may have fewer than its machine."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

_QUOTA_AND_PERIOD = (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"])


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the cores that this process may use, at most those of its container's quota.

    Args:
        cgroup: where a container sees its limits, of version 2 or 1.
    """
    if not hasattr(os, "sched_getaffinity"):  # no Linux
        return os.cpu_count() or 1
    cores = len(os.sched_getaffinity(0))
    for names in _QUOTA_AND_PERIOD:
        with suppress(OSError, ValueError):  # not there, or "max"
            texts = [(cgroup / name).read_text(encoding="ascii") for name in names]
            quota, period = map(int, " ".join(texts).split())
            if quota > 0:
                return min(cores, math.ceil(quota / period))
    return cores
