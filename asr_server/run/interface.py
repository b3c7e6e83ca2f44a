"""What a server is to those that start and watch one: a process here, or a container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Server(Protocol):
    """A server that is not started yet, or runs."""

    @property
    def http_url(self) -> str:
        """host:port."""

    @property
    def grpc_url(self) -> str:
        """host:port."""

    @property
    def metrics_url(self) -> str:
        """The Prometheus page, with scheme."""

    def start(self) -> None:
        """Start it."""

    def wait_ready(self, timeout: float) -> None:
        """Return when it can answer, raise `TritonServerError` if it never will."""

    def is_running(self) -> bool:
        """Return whether it still lives."""

    def lost_models(self) -> list[str]:
        """Return models whose process died while the server lives."""

    def log_tail(self) -> str:
        """Return the end of its log, which says why it ended."""

    def stop(self) -> None:
        """Stop it and all its processes."""


@dataclass(frozen=True)
class Endpoints:
    """Where to listen; port 0 picks a free one."""

    host: str
    http_port: int
    grpc_port: int
    metrics_port: int
