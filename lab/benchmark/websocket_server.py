"""Server processes that listen on a websocket."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from asr_server.run import held_ports, start_bound

_STEP_S = 0.2
_STOP_S = 30.0

Server = TypeVar("Server", bound="WebsocketServer")


class WebsocketServer:
    """A server process on a free port of this machine, as a context manager.

    Args:
        command: the program's path and its arguments but `--port`.
        log: gets its output.
        folder: where it runs; None for here.
        environment: additions to the environment.
        subprotocols: what its clients have to offer.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        subprotocols: Sequence[Subprotocol] = (),
    ) -> None:
        with held_ports(1) as (port,):
            self._port = port
        self._command = [*command, f"--port={self._port}"]
        self._log = log
        self._folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._subprotocols = subprotocols

    def __enter__(self: Server) -> Server:
        with self._log.open("wb") as log:
            self._process = start_bound(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment,
            )
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self._port}"

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until it accepts connections.

        Raises:
            RuntimeError: it ended, or did not in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                connect(self.url, subprotocols=self._subprotocols or None, proxy=None).close()
                return
            except (OSError, WebSocketException):
                time.sleep(_STEP_S)
        end = self._log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(self._command)} did not start:\n{end}")

    def cpu_seconds(self) -> float:
        """CPU time used so far."""
        return float(sum(psutil.Process(self._process.pid).cpu_times()[:2]))
