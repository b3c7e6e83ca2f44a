"""Where clients find a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoints:
    """Where to listen; port 0 picks a free one."""

    host: str
    http_port: int
    grpc_port: int
    metrics_port: int
