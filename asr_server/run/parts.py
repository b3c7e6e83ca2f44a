"""The processes that serve together, as their supervisor sees each of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from asr_server.run.installation import TritonServerError
from asr_server.run.processes import start_bound


class Part(Protocol):
    """A process, or a container, that is not started yet, or runs.

    Attributes:
        name: for messages.
        start_timeout_s: it is ready within, or something is wrong.
        stop_timeout_s: it may take so long to end.
        drains: it can let what is under way finish; nobody starts it anew then.
    """

    name: str
    start_timeout_s: float
    stop_timeout_s: float
    drains: bool

    def start(self) -> None:
        """Start it, and return at once.

        Raises:
            TritonServerError: it cannot be started.
        """

    def is_running(self) -> bool:
        """Return whether it was started and still lives."""

    def is_ready(self) -> bool:
        """Return whether it can answer; takes a second at most."""

    def progress(self) -> str:
        """Return how far its start is, for a person; empty if there is nothing to tell."""

    def reason_for_ending(self) -> str:
        """Return how it ended, as the rest of a sentence."""

    def has_crashed(self) -> bool:
        """Return whether what it was given need not be why it ended: another start may do."""

    def lost(self) -> list[str]:
        """Return what of it has died while the rest lives."""

    def mend(self, lost: list[str]) -> None:
        """Start anew what has died.

        Raises:
            TritonServerError: that cannot be done.
        """

    def drain(self) -> Callable[[], bool] | None:
        """Let it take nothing new; returns what says whether all has finished, if it does."""

    def stop(self, at_once: bool = False) -> None:
        """End it; harmless if it does not run.

        Args:
            at_once: it may not finish what it has under way.
        """


class ProcessPart:
    """A program of ours that listens on a port.

    Args:
        name: for messages.
        command: the words behind `python -m`.
        address: where it can be reached when it is ready: host and port.
        env: additions to the environment.
        inherited: file descriptors that it is given.
        stop_timeout_s: as `Part.stop_timeout_s`.
        say: is told what it prints, line by line, by whoever calls `is_ready`.
        drain_signal: lets it take nothing new; where that is SIGTERM, SIGINT ends it sooner.
        ends_drained: it ends by itself when all has finished.
        drained_file: is there then.
    """

    start_timeout_s = 60.0

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        address: tuple[str, int] | None = None,
        env: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
        stop_timeout_s: float = 5.0,
        say: Callable[[str], None] | None = None,
        drain_signal: signal.Signals | None = None,
        ends_drained: bool = False,
        drained_file: Path | None = None,
    ) -> None:
        self.name = name
        self.stop_timeout_s = stop_timeout_s
        self._command = [sys.executable, "-m", *command]
        self._address = address
        self._env = dict(env or {})
        self._inherited = tuple(inherited)
        self._say = say
        self._drain_signal = drain_signal
        self._ends_drained = ends_drained
        self._drained_file = drained_file
        self._is_draining = False
        self.drains = drain_signal is not None
        self._printed: deque[str] = deque()
        self._process: subprocess.Popen[str] | None = None
        self._is_ready = False

    def start(self) -> None:
        """As `Part.start`."""
        self._is_ready = self._is_draining = False
        if self._drained_file is not None:
            self._drained_file.unlink(missing_ok=True)
        self._process = start_bound(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=None if self._say is None else subprocess.PIPE,
            text=True,
            env={**os.environ, **self._env},
            pass_fds=self._inherited,
            start_new_session=True,  # Ctrl-C is for the starter, which ends it in good order
        )
        if self._say is not None:
            threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def is_running(self) -> bool:
        """As `Part.is_running`."""
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """As `Part.is_ready`: it has printed where it is, or takes a connection."""
        while self._printed and self._say is not None:
            self._say(self._printed.popleft())
            self._is_ready = True
        if not self._is_ready and self._address is not None:
            try:
                socket.create_connection(self._address, timeout=1.0).close()
                self._is_ready = True
            except OSError:
                return False
        return self._is_ready

    def progress(self) -> str:
        """As `Part.progress`."""
        return ""

    def reason_for_ending(self) -> str:
        """As `Part.reason_for_ending`."""
        status = None if self._process is None else self._process.poll()
        return "does not answer" if status is None else f"ended with status {status}"

    def has_crashed(self) -> bool:
        """As `Part.has_crashed`: a signal ended it."""
        status = None if self._process is None else self._process.poll()
        return status is not None and status < 0

    def lost(self) -> list[str]:
        """As `Part.lost`: it is one process."""
        return []

    def mend(self, lost: list[str]) -> None:
        """As `Part.mend`; never called."""
        raise TritonServerError(f"{self.name}: {lost}")

    def drain(self) -> Callable[[], bool] | None:
        """As `Part.drain`."""
        file = self._drained_file
        if self._process is None or self._drain_signal is None:
            return None
        self._process.send_signal(self._drain_signal)
        self._is_draining = True
        if file is None and not self._ends_drained:
            return None
        return lambda: not self.is_running() or (file is not None and file.exists())

    def stop(self, at_once: bool = False) -> None:
        """As `Part.stop`."""
        process, self._process = self._process, None
        if process is None:
            return
        if at_once:
            process.kill()
        else:
            sooner = self._drain_signal == signal.SIGTERM and not self._is_draining
            process.send_signal(signal.SIGINT if sooner else signal.SIGTERM)
        try:
            process.wait(self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _read(self, process: subprocess.Popen[str]) -> None:
        """Keep what it prints for the thread that reports; two threads would mix their lines."""
        for line in process.stdout or ():
            self._printed.append(line.rstrip())
