"""The options of `triton-asr-server serve`."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from asr_contract.access import KEY_VARIABLE, is_loopback, read_keys
from asr_contract.command_parser import CommandParser
from asr_server.places import log_file
from asr_server.run import DoorSettings
from asr_server.run.releases import CURRENT, parse_release


def door_settings(options: argparse.Namespace) -> DoorSettings:
    """Return what is let in.

    Raises:
        ValueError: others can reach the address, and nothing says that they may; or options make
            no sense together.
        OSError: the file with keys cannot be read.
    """
    if options.gateway_option and not options.gateway:
        raise ValueError("--gateway-option: expected --gateway, too")
    if not options.docker:
        for name in ("gpus", "release", "shm_size"):
            if getattr(options, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')}: expected --docker, too")
    ports = [port for port in (options.http_port, options.grpc_port, options.metrics_port) if port]
    if len(set(ports)) < len(ports):
        raise ValueError(
            "--http-port, --grpc-port, --metrics-port: expected ports that differ; got "
            + ", ".join(map(str, ports))
        )
    keys = read_keys(os.environ, options.api_key_file)
    if keys and options.open_triton:
        raise ValueError("--open-triton: Triton knows no keys; its ports cannot ask for one")
    if not keys and not options.no_api_key and not is_loopback(options.host.strip("[]")):
        raise ValueError(
            f"--host {options.host} can be reached from other machines; expected an API key "
            f"({KEY_VARIABLE} or --api-key-file), or --no-api-key: whoever reaches it may then "
            "recognise speech with it and read its metrics"
        )
    return DoorSettings(keys, options.allowed_host)


def parser(prog: str | None, description: str | None) -> argparse.ArgumentParser:
    """Return the parser."""
    command = CommandParser(
        prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = command.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    for name, number in (("http", 8000), ("grpc", 8001), ("metrics", 8002)):
        add(
            f"--{name}-port",
            type=port_number,
            default=number,
            metavar="PORT",
            help="default: %(default)s; 0 picks a free one",
        )
    add(
        "--model-repository",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a model repository to serve; may be repeated; default: all of the project's",
    )
    add(
        "--load",
        action="append",
        default=[],
        metavar="NAME",
        help="load only this model or kind of models; may be repeated; `triton-asr-server load` "
        "loads others later",
    )
    add(
        "--log",
        type=Path,
        default=log_file("tritonserver.log"),
        metavar="FILE",
        help="Triton's log; - is standard error; default: %(default)s",
    )
    add(
        "--pinned-memory-mb",
        type=int,
        default=256,
        metavar="MB",
        help="Triton's pinned memory pool; default: %(default)s",
    )
    add(
        "--drain-s",
        type=_seconds,
        default=20.0,
        metavar="S",
        help="seconds that open sessions and requests have to end after SIGTERM; Ctrl-C does not "
        "wait; default: %(default)g",
    )
    add("--gateway", action="store_true", help="run the gateway beside Triton")
    add(
        "--gateway-option",
        action="append",
        default=[],
        metavar="WORD",
        help="an option for the gateway, such as --gateway-option=--port=8080; may be repeated",
    )
    _add_access(command)
    docker = command.add_argument_group("in the NGC container")
    docker.add_argument(
        "--docker", action="store_true", help="run the server in NVIDIA's container"
    )
    docker.add_argument("--gpus", help="all, none or a number; default: all")
    docker.add_argument("--release", type=parse_release, help=f"of Triton; default: {CURRENT}")
    docker.add_argument("--shm-size", help="shared memory; default: 1g")
    return command


def _add_access(command: argparse.ArgumentParser) -> None:
    access = command.add_argument_group(f"access (or a key in the variable {KEY_VARIABLE})")
    access.add_argument("--api-key-file", type=Path, metavar="FILE", help="API keys, one per line")
    access.add_argument(
        "--no-api-key",
        action="store_true",
        help="let in everybody who can reach --host, also from other machines",
    )
    access.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name that clients use for this server, besides addresses and localhost; * "
        "allows any",
    )
    access.add_argument(
        "--open-triton",
        action="store_true",
        help="open Triton's own, unprotected ports: one small request can crash it",
    )


def port_number(text: str) -> int:
    """Parse a port, 0 for any, for argparse."""
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535; got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    """Parse a number of seconds, 0 or more, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, 0 or more; got {text!r}")
    return value
