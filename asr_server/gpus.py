"""Which GPUs this machine has that can be used, as its driver says."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

TOOL = "nvidia-smi"
_QUERY = "--query-gpu=index,name,driver_version,memory.total"
_TIMEOUT_S = 30.0  # a driver that wakes up takes seconds


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        index: CUDA's number of it, as far as `CUDA_VISIBLE_DEVICES` does not renumber.
        name: of the card.
        driver: version of the driver.
        memory_mib: its memory.
    """

    index: int
    name: str
    driver: str
    memory_mib: int

    def __str__(self) -> str:
        """Return it as a person wants to read it."""
        return f"GPU {self.index} ({self.name}, {self.memory_mib} MiB, driver {self.driver})"


def usable_gpus() -> list[Gpu]:
    """Return the GPUs whose driver answers; none where it does not, or where they are hidden.

    `nvidia-smi` is the driver's own, and fails where kernel module and libraries do not fit.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return []
    command = [TOOL, _QUERY, "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [gpu for line in answer.splitlines() if (gpu := _parse(line)) is not None]


def _parse(line: str) -> Gpu | None:
    """Read a line of the answer; None for one that is something else, as of a failed card."""
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != 4 or not (fields[0].isdigit() and fields[3].isdigit()):
        return None
    return Gpu(int(fields[0]), fields[1], fields[2], int(fields[3]))
