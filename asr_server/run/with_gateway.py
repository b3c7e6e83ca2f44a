"""Serves the gateway beside Triton, as one server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO

from asr_server.run.installation import TritonServerError
from asr_server.run.interface import Server
from asr_server.run.processes import bound_to_starter

_STOP_S = 30.0  # it lets sessions finish


class ServerWithGateway:
    """A Triton server, and a gateway that runs as long as it does; a `Server` too.

    Args:
        server: Triton.
        arguments: further words for the gateway's command line.
        report: is told what the gateway says when it starts.
    """

    def __init__(self, server: Server, arguments: list[str], report: Callable[[str], None]) -> None:
        self._server = server
        self._arguments = arguments
        self._report = report
        self._process: subprocess.Popen[str] | None = None

    @property
    def http_url(self) -> str:
        """host:port."""
        return self._server.http_url

    @property
    def grpc_url(self) -> str:
        """host:port."""
        return self._server.grpc_url

    @property
    def metrics_url(self) -> str:
        """The Prometheus page, with scheme."""
        return self._server.metrics_url

    def start(self) -> None:
        """Start Triton."""
        self._server.start()

    def wait_ready(self, timeout: float) -> None:
        """Return when Triton can answer and the gateway listens."""
        self._server.wait_ready(timeout)
        command = [sys.executable, "-m", "asr_gateway", "--triton", f"grpc://{self.grpc_url}"]
        self._process = subprocess.Popen(
            bound_to_starter([*command, *self._arguments]), stdout=subprocess.PIPE, text=True
        )
        output = self._process.stdout
        if output is None or not (first := output.readline()):
            raise TritonServerError(f"the gateway ended with status {self._process.wait()}")
        self._report(first.rstrip())
        threading.Thread(target=self._pass_on, args=(output,), daemon=True).start()

    def is_running(self) -> bool:
        """Return whether both still live."""
        return (
            self._process is not None and self._process.poll() is None and self._server.is_running()
        )

    def lost_models(self) -> list[str]:
        """Return models whose process died while the server lives."""
        return self._server.lost_models()

    def log_tail(self) -> str:
        """Return the end of Triton's log, unless the gateway ended: its log is on stderr."""
        status = None if self._process is None else self._process.poll()
        if status is not None and self._server.is_running():
            return f"the gateway ended with status {status}"
        return self._server.log_tail()

    def stop(self) -> None:
        """Stop the gateway, then Triton."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._server.stop()

    def _pass_on(self, output: IO[str]) -> None:
        """Report the rest of what the gateway prints."""
        for line in output:
            self._report(line.rstrip())
