"""What a server holds of the machine, and whether it gives it back."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

from tests.serve_command import Serving

SETTLED_S = 90.0  # longer than the idle time of a sequence
BACK_S = 300.0


@dataclass(frozen=True)
class Footprint:
    """What a server holds.

    Attributes:
        memory_mb: of all its processes, shared pages counted once.
        descriptors: how many, by process and kind.
        sequences: that are open.
        files: temporary ones.
    """

    memory_mb: float
    descriptors: Counter[str]
    sequences: float
    files: int

    @classmethod
    def of(cls, server: Serving, temporary: Path) -> Footprint:
        """Look at it now."""
        descriptors: Counter[str] = Counter()
        for process in server.family():
            try:
                name = process_name(process)
                folder = Path(f"/proc/{process.pid}/fd")
                descriptors.update(f"{name}: {_kind(folder / each)}" for each in os.listdir(folder))
            except (psutil.Error, OSError):
                continue  # it ended meanwhile
        with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        sequences = sum(
            float(line.split()[-1]) for line in lines if line.startswith("asr_open_sessions{")
        )
        files = sum(1 for path in temporary.rglob("*") if path.is_file())
        return cls(server.memory_mb(), descriptors, sequences, files)

    def __str__(self) -> str:
        return (
            f"{self.memory_mb:.0f} MB, {self.descriptors.total()} descriptors, "
            f"{self.sequences:g} sequences, {self.files} files"
        )


def process_name(process: psutil.Process) -> str:
    """What a process of a server is, whatever its number."""
    words = process.cmdline() or [process.name()]
    if "stub" in words[0]:
        return words[8]
    modules = [word for word in words if word.startswith("asr_")]
    return " ".join([*modules[:1], *(word for word in words if word in ("http", "grpc"))]) or (
        Path(words[0]).name
    )


def process_names(server: Serving) -> Counter[str]:
    """What runs."""
    names: Counter[str] = Counter()
    for process in server.family():
        with suppress(psutil.Error):  # it ended meanwhile
            names[process_name(process)] += 1
    return names


def wait_until_back(server: Serving, before: Counter[str]) -> float:
    """Return how long it took until all processes ran and the server said that it is ready.

    How long requests wait then depends on what else is asked of the machine.
    """
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < BACK_S:
        with suppress(OSError):  # the door is away, or says no
            urlopen(f"{server.http_url}/v2/health/ready", timeout=30).close()
            if not before - process_names(server):
                break
        time.sleep(0.2)
    return time.monotonic() - begun_s


def settled(server: Serving, temporary: Path, before: Footprint) -> Footprint:
    """Wait until a server holds what it held before.

    Raises:
        AssertionError: it does not.
    """
    deadline = time.monotonic() + SETTLED_S
    while True:
        after = Footprint.of(server, temporary)
        same = (
            after.sequences == 0
            and after.files <= before.files
            and after.descriptors.total() < before.descriptors.total() + 50
            and after.memory_mb < 1.3 * before.memory_mb + 200
        )
        if same:
            return after
        more = after.descriptors - before.descriptors
        assert time.monotonic() < deadline, f"before {before}\nafter {after}\nmore: {more}"
        time.sleep(1)


def _kind(descriptor: Path) -> str:
    return re.sub(r"(?<=/dev/shm/).*|\d+", "N", os.readlink(descriptor))
