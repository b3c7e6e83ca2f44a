"""Serves the model repositories: one command, from nothing installed to three endpoints.

    triton-asr-server serve [--http-port 8000 --grpc-port 8001 --metrics-port 8002] [--docker]

Uses a `tritonserver` on PATH (the NGC container) or the one in the `nvidia-pytriton` wheel, and
installs the embedded models into its own repositories that have none. In others, models without
weights are left out. Ctrl-C or SIGTERM stops everything.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asr_server.commands.machine import fit_to_machine
from asr_server.commands.output import report_error, report_line
from asr_server.errors import InstallError
from asr_server.extras import MissingExtraError, require
from asr_server.models import (
    default_repositories,
    empty_kinds,
    missing_kinds,
    models_without,
    outdated_kinds,
    set_up_home,
)
from asr_server.places import IS_CHECKOUT, log_file
from asr_server.run import (
    Endpoints,
    Server,
    ServerFlags,
    ServerWithGateway,
    TritonServer,
    TritonServerError,
    find_installation,
    serve,
)
from asr_server.run.releases import CURRENT, parse_release


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        return serve(_server(options), stop, report_line)
    except (MissingExtraError, TritonServerError, InstallError, OSError, ValueError) as error:
        return report_error(parser, error)


def install_missing(repositories: Sequence[Path]) -> None:
    """Install the embedded model into each of the default repositories that has none.

    Raises:
        MissingExtraError: what prepares a graph is not installed.
        InstallError, PrepareError: a model cannot be installed, or one that is there was prepared
            by an older version.
    """
    if kinds := missing_kinds(repositories):
        require("server")
        from asr_server.install import install_embedded

        install_embedded(kinds, report_line)
    if outdated := outdated_kinds(repositories):
        names = ", ".join(kind.name for kind in outdated)
        raise InstallError(
            "installed by an older version, whose prepared graphs this one does not serve: "
            f"{names}; install them again (triton-asr-server install KIND --from SOURCE)"
        )


def _server(options: argparse.Namespace) -> Server:
    """Return the server that is asked for, with models to serve."""
    if options.gateway:
        require("gateway")
    if options.docker:
        require("docker")
        if not IS_CHECKOUT:
            raise TritonServerError(
                "--docker builds its image from the project's Dockerfile, which is in a checkout "
                "only"
            )
    installation = None if options.docker else find_installation()
    set_up_home(report_line)
    given = [path.resolve() for path in options.model_repository]
    repositories = given or default_repositories()
    instances = fit_to_machine(installation, repositories, report_line) if installation else {}
    install_missing(repositories)
    flags = _load_what_is_installed(repositories)
    endpoints = Endpoints(options.host, options.http_port, options.grpc_port, options.metrics_port)
    server: Server
    if options.docker:
        from asr_server.run.docker_server import DockerServer

        server = DockerServer(
            repositories,
            endpoints,
            options.gpus,
            options.shm_size,
            load_models=flags.load_models,
            release=options.release,
        )
    else:
        server = TritonServer(
            repositories,
            host=endpoints.host,
            http_port=endpoints.http_port,
            grpc_port=endpoints.grpc_port,
            metrics_port=endpoints.metrics_port,
            log=options.log,
            flags=replace(flags, pinned_memory_pool_bytes=options.pinned_memory_mb << 20),
            installation=installation,
            instances=instances,
        )
    if options.gateway:
        server = ServerWithGateway(server, options.gateway_option, report_line)
    return server


def _load_what_is_installed(repositories: Sequence[Path]) -> ServerFlags:
    """Leave out models without weights, with which Triton would not start.

    Raises:
        InstallError: no model is left.
    """
    empty = empty_kinds(repositories)
    if not empty:
        return ServerFlags()
    names = ", ".join(kind.name for kind in empty)
    load = models_without(empty, repositories)
    if not load:
        raise InstallError(f"nothing to serve: not installed in these repositories: {names}")
    report_line(f"not installed, and therefore not served: {names}")
    return ServerFlags(model_control_mode="explicit", load_models=load)


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
        "--log", type=Path, default=log_file("tritonserver.log"), help="default: %(default)s"
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
    docker.add_argument(
        "--release", type=parse_release, default=CURRENT, help="of Triton; default: %(default)s"
    )
    docker.add_argument("--shm-size", default="1g", help="shared memory; default: %(default)s")
    return parser
