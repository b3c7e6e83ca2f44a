"""How busy a GPU is, and how much of its memory is in use, while something runs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from asr_server.gpus import TOOL

_PERIOD_MS = 200


@dataclass(frozen=True)
class GpuUse:
    """What the driver saw.

    Attributes:
        busy: share of the time in which a kernel ran, mean.
        memory_mib: in use, highest.
    """

    busy: float
    memory_mib: int

    def __str__(self) -> str:
        """Return it as on the page."""
        return f"{self.busy:.0%}, {self.memory_mib} MiB"


class GpuWatch:
    """Looks at the first GPU while its block runs; `use` is None where there is no driver."""

    def __init__(self) -> None:
        self.use: GpuUse | None = None
        self._tool: subprocess.Popen[str] | None = None

    def __enter__(self) -> GpuWatch:
        """Begin to look."""
        query = "--query-gpu=utilization.gpu,memory.used"
        command = [TOOL, "--id=0", query, "--format=csv,noheader,nounits", f"-lms={_PERIOD_MS}"]
        try:
            self._tool = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:
            self._tool = None
        return self

    def __exit__(self, *error: object) -> None:
        """Stop looking, and sum up."""
        if self._tool is not None:
            self._tool.terminate()
            self.use = summed_up(self._tool.communicate()[0])


def summed_up(lines: str) -> GpuUse | None:
    """Return the mean and the highest of the tool's lines, None where it gave no figures."""
    samples = [line.split(",") for line in lines.splitlines()]
    figures = [
        (int(busy), int(memory))
        for busy, memory in (one for one in samples if len(one) == 2)
        if busy.strip().isdigit() and memory.strip().isdigit()
    ]
    if not figures:
        return None
    return GpuUse(
        sum(busy for busy, _ in figures) / len(figures) / 100, max(memory for _, memory in figures)
    )
