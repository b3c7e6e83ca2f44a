"""Ends the processes of models that Triton has given up while it still waits for their end.

Triton 24.10 waits a second for a stub that it starts to say that it lives. On a busy machine that
is too short. It frees the memory that it shares with the stub then, and waits for the stub's end,
however long that takes, while the stub goes on with its start in the freed memory: either stands
still, or dies and takes the server with it. Of a stub that is ended at once, Triton says that it
did not load, and loads the model again (`--model-load-retry-count`).
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from asr_server.run.processes import dead_children, kill_process, stub_processes

# The number of the system call that waits for the end of a process.
_WAIT4 = {"x86_64": b"61", "aarch64": b"260"}.get(platform.machine())
# How many looks see the same before it counts. A stub that fails by itself ends meanwhile, and
# whoever waits for a process takes note of its end.
_LOOKS_WAITED_FOR = 2
_LOOKS_DEAD = 25


class LateStubs:
    """Looks after the stubs of a server that are being started.

    A slow start is left alone: Triton waits for the end of a stub only once it has given it up, or
    when its model is unloaded. Stubs that have started are not looked at.
    """

    def __init__(self) -> None:
        self._started: set[int] = set()
        self._loads: Counter[str] = Counter()
        self._loads_at_first: dict[int, int] = {}  # of its model, when a stub was seen first
        self._waited_for: Counter[int] = Counter()
        self._dead: Counter[int] = Counter()

    def settle(self, stubs: Iterable[int]) -> None:
        """Take note that nothing is being loaded: these stubs have started."""
        self._started = {pid for pid in self._started.union(stubs) if _is_there(pid)}
        self._loads_at_first.clear()
        self._dead.clear()

    def look(self, server: int, loads: Counter[str]) -> bool:
        """End those that Triton has given up; look several times a second.

        Args:
            server: its process.
            loads: how often it has loaded each model so far. A stub whose model has been loaded
                since it was there has started; while models are loaded nothing stands still.

        Returns:
            whether what is being loaded can go on: Triton waits without end for the first word of
            a stub that has died.
        """
        stubs = stub_processes(server)
        for pid, instance in stubs.items():
            count = loads[instance.rsplit("_", 2)[0]]
            if count > self._loads_at_first.setdefault(pid, count):
                self._started.add(pid)
        if loads != self._loads:
            self._dead.clear()
        self._loads = loads
        given_up = (waited_for(server) - self._started) & stubs.keys()
        self._waited_for = Counter({pid: self._waited_for[pid] + 1 for pid in given_up})
        for pid, looks in self._waited_for.items():
            if looks >= _LOOKS_WAITED_FOR:
                kill_process(pid)
        dead = dead_children(server) - self._started
        self._dead = Counter({pid: self._dead[pid] + 1 for pid in dead})
        return all(looks < _LOOKS_DEAD for looks in self._dead.values())


def waited_for(pid: int) -> set[int]:
    """Return the processes whose end threads of a process wait for; none if that is not told."""
    threads, found = f"/proc/{pid}/task", set()
    with suppress(OSError):  # it has ended
        for thread in os.listdir(threads):  # hundreds, so that `pathlib` would cost much
            with suppress(OSError):  # that has, or its system does not let us see
                with open(f"{threads}/{thread}/syscall", "rb", buffering=0) as file:
                    words = file.read().split()
                if words[0] == _WAIT4:
                    found.add(int(words[1], 16))
    return found


def _is_there(pid: int) -> bool:
    return (Path("/proc") / str(pid)).exists()
