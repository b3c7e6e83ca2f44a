"""Serves the model repositories: one command, from nothing installed to three endpoints.

    python -m scripts.serve [--http-port 8000 --grpc-port 8001 --metrics-port 8002] [--docker]

Uses a `tritonserver` on PATH (the NGC container) or the one in the `nvidia-pytriton` wheel, and
installs the embedded models into repositories that have none. Ctrl-C or SIGTERM stops everything.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asr_server.install.into_repository import KINDS, default_repositories, install, is_installed
from asr_server.places import ROOT
from asr_server.run.triton_server import ServerFlags, TritonServer, TritonServerError
from asr_server.run.with_gateway import ServerWithGateway

READY_TIMEOUT_S = 300.0  # a full-size model is read from disk and, on a GPU, copied there
POLL_S = 0.5


class Server(Protocol):
    """What `serve` needs: a process here, or a container."""

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
        """Whether it still lives."""

    def lost_models(self) -> list[str]:
        """Models whose process died while the server lives."""

    def log_tail(self) -> str:
        """The end of its log, which says why it ended."""

    def stop(self) -> None:
        """Stop it and all its processes."""


@dataclass(frozen=True)
class Endpoints:
    """Where to listen; port 0 picks a free one."""

    host: str
    http_port: int
    grpc_port: int
    metrics_port: int


def install_missing(repositories: Sequence[Path], report: Callable[[str], None]) -> None:
    """Install the embedded model into each of the project's repositories that has none."""
    for kind in KINDS.values():
        repository = ROOT / kind.repository
        if repository in repositories and not is_installed(kind, repository):
            report(f"installing the embedded {kind.name} model (small, synthetic speech only)")
            install(kind, kind.embedded, repository)


def serve(server: Server, stop: threading.Event, report: Callable[[str], None]) -> int:
    """Start a server, say where it is, and keep it until told to stop.

    If the process of a Python model dies, the server is started anew on the same ports.

    Returns:
        Exit status: 0 if it was stopped, 1 if it ended by itself or never became ready.
    """
    try:
        server.start()
        server.wait_ready(READY_TIMEOUT_S)
        report(f"HTTP     http://{server.http_url}")
        report(f"gRPC     grpc://{server.grpc_url}")
        report(f"metrics  {server.metrics_url}")
        report("ready; Ctrl-C stops")
        while not stop.wait(POLL_S):
            if not server.is_running():
                report(f"the server ended by itself; end of its log:\n{server.log_tail()}")
                return 1
            if lost := server.lost_models():
                report(f"the process of {', '.join(lost)} died; starting the server anew")
                server.stop()
                server.start()
                server.wait_ready(READY_TIMEOUT_S)
                report("ready again")
        return 0
    except TritonServerError as error:
        report(str(error))
        return 1
    finally:
        server.stop()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = parse_arguments(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    given = [path.resolve() for path in options.model_repository]
    repositories = given or default_repositories()
    install_missing(repositories, report_line)
    endpoints = Endpoints(options.host, options.http_port, options.grpc_port, options.metrics_port)
    server: Server
    if options.docker:
        from asr_server.run.docker_server import (
            DockerServer,  # needs the docker package, others do not
        )

        server = DockerServer(repositories, endpoints, options.gpus, options.shm_size)
    else:
        server = TritonServer(
            repositories,
            host=endpoints.host,
            http_port=endpoints.http_port,
            grpc_port=endpoints.grpc_port,
            metrics_port=endpoints.metrics_port,
            log=options.log,
            flags=ServerFlags(pinned_memory_pool_bytes=options.pinned_memory_mb << 20),
        )
    if options.gateway:
        server = ServerWithGateway(server, options.gateway_option, report_line)
    return serve(server, stop, report_line)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Serve the model repositories with Triton.")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--http-port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--grpc-port", type=int, default=8001, help="default: %(default)s")
    parser.add_argument("--metrics-port", type=int, default=8002, help="default: %(default)s")
    parser.add_argument(
        "--model-repository",
        type=Path,
        action="append",
        default=[],
        help="may be given several times; default: all of the project's",
    )
    parser.add_argument(
        "--log", type=Path, default=ROOT / ".cache/tritonserver.log", help="default: %(default)s"
    )
    parser.add_argument(
        "--pinned-memory-mb", type=int, default=256, help="pinned pool, default: %(default)s"
    )
    parser.add_argument("--gateway", action="store_true", help="run the gateway beside Triton")
    parser.add_argument(
        "--gateway-option",
        action="append",
        default=[],
        metavar="WORD",
        help="for the gateway's command line, such as --gateway-option=--port=8080",
    )
    docker = parser.add_argument_group("in the NGC container")
    docker.add_argument("--docker", action="store_true", help="run there instead of here")
    docker.add_argument("--gpus", default="all", help="all, none or a number; default: %(default)s")
    docker.add_argument("--shm-size", default="1g", help="shared memory; default: %(default)s")
    return parser.parse_args(arguments)


def report_line(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
