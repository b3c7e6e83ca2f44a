"""What one ffmpeg may take of the machine, whatever the file says.

A small file can ask for much: a header of 44 bytes for gigabytes (1 Hz, resampled to hours), a few
megabytes of silence for a day of samples. So memory and processor time grow with the bytes that
were sent, and the rest is fixed. ffmpeg gets its own options for it, and the system's limits on
top, which hold whatever is wrong in ffmpeg; a shell sets them before it becomes ffmpeg. Windows
has no such limits, there the options remain. It is one process: Linux counts those of a user
together, with all threads, so in the place of a limit `alone` takes the calls away that make one.
Its threads, one for each stage, are bounded by their stacks, which are memory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

_MB = 1_000_000

# Measured with ffmpeg 4.2, 7.0 and 9.0: what is common takes 40 MB with the stacks of ffmpeg's
# threads; to look into 8K video takes 130 MB, and the index of 24 hours of AAC 1 MB of each MB.
_MEMORY_BYTES = 160 * _MB
_MAX_MEMORY_BYTES = 400 * _MB
# One allocation: a frame of 8K video at most; the index of 24 hours takes half of the file's size.
_ALLOCATION_BYTES = 96 * _MB
_MAX_ALLOCATION_BYTES = 160 * _MB
# Libraries count as address space; what is written of it counts as memory.
_ADDRESS_BYTES = 2_000 * _MB

# A day of Opus takes 40 s. Formats that take long (Monkey's Audio) are large.
_CPU_S = 120
_CPU_S_PER_MB = 10
_LEAST_CPU_S = 5

_STACK_BYTES = 4 * _MB  # of a thread; a limit of its own, since the memory is shared by some ten
_MAX_FILES = 32  # open at once

_ALONE = Path(__file__).with_name("alone.py")


@dataclass(frozen=True)
class Bounds:
    """Limits of one ffmpeg.

    Attributes:
        memory_bytes: that it may write to.
        allocation_bytes: of one allocation.
        cpu_s: processor time.
        output_s: of samples.
    """

    memory_bytes: int
    allocation_bytes: int
    cpu_s: int
    output_s: float

    @classmethod
    def of_file(cls, path: Path, max_duration_s: float) -> Bounds:
        """Return what may be spent on a file; its output is longer than `max_duration_s`."""
        size = path.stat().st_size
        return cls(
            memory_bytes=min(_MEMORY_BYTES + size, _MAX_MEMORY_BYTES),
            allocation_bytes=min(_ALLOCATION_BYTES + size // 2, _MAX_ALLOCATION_BYTES),
            cpu_s=_CPU_S + _CPU_S_PER_MB * (size // _MB),
            output_s=max_duration_s + 1,
        )

    def shared(self, share: float) -> Bounds:
        """Return the bounds of a part of a file, which takes its share of the processor time."""
        least_s = min(_LEAST_CPU_S, self.cpu_s)
        return replace(self, cpu_s=max(round(self.cpu_s * share), least_s))

    def command(self, command: Sequence[str]) -> list[str]:
        """Return a command that sets the system's limits and becomes another command.

        What cannot be set, because a limit is already lower or the system has none, is left.
        """
        if os.name != "posix":
            return list(command)
        limits = {
            "-c": 0,
            "-d": self.memory_bytes // 1024,
            "-f": 0,  # it writes to its pipe only
            "-n": _MAX_FILES,
            "-s": _STACK_BYTES // 1024,
            # SIGXCPU at the first of them, SIGKILL at the second.
            "-S -t": self.cpu_s,
            "-H -t": self.cpu_s + 5,
            "-v": _ADDRESS_BYTES // 1024,
        }
        script = "".join(f"ulimit {name} {value} 2>/dev/null; " for name, value in limits.items())
        return ["/bin/sh", "-c", f'{script}exec "$@"', "sh", *_alone(command)]


def _alone(command: Sequence[str]) -> list[str]:
    """Return a command that becomes another one, which can start no process.

    As it is where the system has no such filters, or this program is no interpreter that can be
    started once more (embedded, or frozen).
    """
    has_python = Path(sys.executable).name.startswith("python") and not hasattr(sys, "frozen")
    if sys.platform != "linux" or not has_python or not _ALONE.is_file():
        return list(command)
    return [sys.executable, "-I", "-S", str(_ALONE), *command]
