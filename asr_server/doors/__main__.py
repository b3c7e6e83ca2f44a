"""Runs one of the doors until SIGTERM; `asr_server.run.door_parts` starts it.

SIGUSR1 says that the server stops: a door is not ready any more and takes no new sequence. When
those that are open have ended, that of gRPC ends; that of HTTP, where health is asked, stays and
leaves a file.

    python -m asr_server.doors http --sockets DIR --http-fd N --metrics-fd N
    python -m asr_server.doors grpc --sockets DIR --address HOST:PORT

Keys come in the environment, which other users cannot see: TRITON_ASR_DOOR_KEYS, one a line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from asr_server.doors.access import Access
from asr_server.sockets import (
    GRPC_DOOR_SOCKET,
    GRPC_SOCKET,
    HTTP_LEFT,
    HTTP_SOCKET,
    METRICS_SOCKET,
)

KEYS_VARIABLE = "TRITON_ASR_DOOR_KEYS"
_BACKLOG = 512


class _Door(Protocol):
    async def left(self) -> None:
        """Take nothing new, and wait for what is open."""

    async def close(self) -> None:
        """End, with what is under way."""


async def run(options: argparse.Namespace) -> None:
    """Serve until told to stop."""
    stop, leaving = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, leaving.set)
    keys = os.environ.get(KEYS_VARIABLE, "").splitlines()
    access = Access(keys=keys, hosts=options.allowed_host)
    sockets: Path = options.sockets
    door: _Door
    when_left: Callable[[], None]
    if options.door == "http":
        from asr_server.doors.http_door import HttpDoor

        door = HttpDoor(access, sockets / HTTP_SOCKET, sockets / METRICS_SOCKET)
        await door.start(
            socket.socket(fileno=options.http_fd), socket.socket(fileno=options.metrics_fd)
        )
        when_left = (sockets / HTTP_LEFT).touch
    else:
        from asr_server.doors.grpc_door import GrpcDoor

        door = GrpcDoor(access, sockets / GRPC_SOCKET, sockets / GRPC_DOOR_SOCKET)
        await door.start(_listening(options.address))
        when_left = stop.set

    async def leave() -> None:
        await leaving.wait()
        await door.left()
        when_left()

    waiting = asyncio.create_task(leave())
    await stop.wait()
    waiting.cancel()
    await door.close()


def _listening(address: str) -> socket.socket:
    """Return a socket that listens at `host:port`; "::" is all interfaces, of IPv4 too."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return socket.create_server(
        (host, int(port)),
        family=socket.AF_INET6 if ":" in host else socket.AF_INET,
        backlog=_BACKLOG,
        dualstack_ipv6=host == "::",
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m asr_server.doors", description=__doc__)
    parser.add_argument("door", choices=("http", "grpc"))
    parser.add_argument("--sockets", type=Path, required=True)
    parser.add_argument("--allowed-host", action="append", default=[])
    parser.add_argument("--http-fd", type=int)
    parser.add_argument("--metrics-fd", type=int)
    parser.add_argument("--address")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.suppress(OSError):  # where memory runs out, a door goes before Triton
        Path("/proc/self/oom_score_adj").write_text("800")
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
