"""Serves the model repositories: one command, from nothing installed to three endpoints.

    triton-asr-server serve [--http-port 8000 --grpc-port 8001 --metrics-port 8002] [--docker]

Uses a `tritonserver` on PATH (the NGC container) or the one in the `nvidia-pytriton` wheel, and
installs the embedded models into its own repositories that have none. In others, models without
weights are left out. What dies is started anew. Ctrl-C or SIGTERM stops everything.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from asr_server.commands.machine import fit_to_machine
from asr_server.commands.output import patient_lines, report_error, report_line
from asr_server.commands.serve_options import door_settings, parser
from asr_server.errors import InstallError
from asr_server.extras import MissingExtraError, require
from asr_server.models import (
    default_repositories,
    empty_kinds,
    is_installed,
    lacking_files,
    missing_kinds,
    models_of,
    models_without,
    outdated_kinds,
    set_up_home,
)
from asr_server.places import IS_CHECKOUT
from asr_server.run import (
    Doors,
    DoorSettings,
    Endpoints,
    Part,
    Ports,
    ServerFlags,
    Sockets,
    TritonPart,
    TritonServer,
    TritonServerError,
    find_installation,
    gateway_part,
    serve,
)
from asr_server.run.open_triton import OPEN_WARNING, restricted
from asr_server.run.releases import CURRENT
from asr_server.run.traces import trace_arguments
from asr_server.sockets import (
    GRPC_SOCKET,
    SocketFolderError,
    sole_socket_folder,
)

_FAILURES = (
    MissingExtraError,
    TritonServerError,
    InstallError,
    SocketFolderError,
    OSError,
    ValueError,
)


class _Stop(threading.Event):
    """Tells to end; SIGTERM, by which a server is replaced, lets what is under way finish."""

    drain_s = 0.0

    def after(self, drain_s: float) -> None:
        """End when what is under way has, or has had so long."""
        self.drain_s = drain_s
        self.set()


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    command = parser(prog, __doc__)
    options = command.parse_args(arguments)
    stop = _Stop()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGTERM, lambda *_: stop.after(options.drain_s))
    try:
        settings = door_settings(options)
        if options.docker:
            return _serve_in_container(options, settings, stop)
        return _serve_here(options, settings, stop)
    except _FAILURES as error:
        return report_error(command, error)


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
        lacking = [
            path
            for kind in outdated
            for repository in repositories
            if is_installed(kind, repository)
            for path in lacking_files(kind, repository)
        ]
        reason = f" (without {', '.join(lacking)})" if lacking else ""
        raise InstallError(
            "damaged, or installed by an older version, whose prepared graphs this one does not "
            f"serve{reason}: {names}; install them again (triton-asr-server install KIND --from "
            "SOURCE)"
        )


def _serve_here(options: argparse.Namespace, settings: DoorSettings, stop: _Stop) -> int:
    """Serve until told to stop; return the exit status."""
    if options.gateway:
        require("gateway")
    traces = trace_arguments(os.environ)
    installation = find_installation()
    endpoints = Endpoints(options.host, options.http_port, options.grpc_port, options.metrics_port)
    doors = None if options.open_triton else Doors(endpoints, settings)
    repositories = _repositories(options)
    instances = fit_to_machine(installation, repositories, report_line)
    install_missing(repositories)
    flags = replace(
        load_what_is_installed(repositories, options.load),
        pinned_memory_pool_bytes=options.pinned_memory_mb << 20,
    )
    ports = Ports(options.host, [options.http_port, options.grpc_port, options.metrics_port])
    with ExitStack() as stack:
        if doors:
            stack.callback(doors.close)
        else:
            ports.hold()  # so that the addresses are known
        http_port = doors.http_port if doors else ports.http_port
        folder = stack.enter_context(sole_socket_folder(http_port))
        server = TritonServer(
            repositories,
            listening=Sockets(folder) if doors else ports,
            extra_args=[*traces, *(() if doors else restricted(folder))],
            log=options.log,
            flags=flags,
            installation=installation,
            instances=instances,
        )
        all_models = models_without([], repositories)
        loaded = all_models if "*" in flags.load_models else flags.load_models
        triton = TritonPart(server, loaded, folder)
        parts: list[Part] = [*(doors.parts(folder) if doors else ()), triton]
        addresses = doors.addresses() if doors else ports.addresses()
        if options.gateway:
            url = f"unix:{folder / GRPC_SOCKET}" if doors else f"grpc://{ports.url(1)}"
            words, drain_s = options.gateway_option, options.drain_s
            parts.append(gateway_part(url, words, drain_s, addresses.append))
        if not doors:
            report_line(OPEN_WARNING)
        return _supervise(parts, addresses, stop)


def _serve_in_container(options: argparse.Namespace, settings: DoorSettings, stop: _Stop) -> int:
    """Serve in a container until told to stop; return the exit status."""
    require("docker")
    if not IS_CHECKOUT:
        raise TritonServerError(
            "--docker builds its image from the project's Dockerfile, which is in a checkout only"
        )
    if settings.keys or options.open_triton or options.gateway or options.load:
        raise ValueError("--docker: keys, --open-triton, --gateway and --load do not go with it")
    from asr_server.run.docker_server import DockerServer

    repositories = _repositories(options)
    install_missing(repositories)
    load_what_is_installed(repositories, ())
    endpoints = Endpoints(options.host, options.http_port, options.grpc_port, options.metrics_port)
    server = DockerServer(
        repositories,
        endpoints,
        options.gpus or "all",
        options.shm_size or "1g",
        release=options.release or CURRENT,
    )
    return _supervise([server], server.addresses(), stop)


def _supervise(parts: Sequence[Part], addresses: Sequence[str], stop: _Stop) -> int:
    """Serve parts until told to stop; return the exit status."""
    lines = patient_lines()
    try:
        return serve(parts, addresses, stop, lines.put, lambda: stop.drain_s)
    finally:
        lines.flush()


def _repositories(options: argparse.Namespace) -> list[Path]:
    """Return the repositories to serve.

    Raises:
        InstallError: one that was named is no folder.
    """
    given = [path.resolve() for path in options.model_repository]
    for path in given:
        if not path.is_dir():
            raise InstallError(f"--model-repository {path}: expected a folder with models")
    if not given:
        set_up_home(report_line)
    return given or default_repositories()


def load_what_is_installed(repositories: Sequence[Path], chosen: Sequence[str]) -> ServerFlags:
    """Leave out models without weights, with which Triton would not start.

    Args:
        repositories: where to look.
        chosen: models, or kinds of models, to load; none for all.

    Raises:
        InstallError: no model is left, or a chosen one is not there.
    """
    empty = empty_kinds(repositories)
    names = ", ".join(kind.name for kind in empty)
    present = models_without(empty, repositories)
    if not present:
        lacking = f"not installed in these repositories: {names}" if names else "no model is there"
        raise InstallError(f"nothing to serve: {lacking}")
    wanted = [model for name in chosen for model in models_of(name)]
    if absent := [model for model in wanted if model not in present]:
        raise InstallError(f"--load: expected one of {', '.join(present)}; got {absent[0]}")
    if empty:
        report_line(f"not installed, so not served: {names}")
    # Always explicit: a model whose process has died is loaded anew by itself.
    load = wanted or (present if empty else ["*"])
    return ServerFlags(model_control_mode="explicit", load_models=load)
