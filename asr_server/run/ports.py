"""Ports that a server can be given, without a race with other programs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def held_ports(count: int, host: str = "127.0.0.1") -> Iterator[list[int]]:
    """Give `count` different TCP ports that nobody else gets from the system within the block.

    A server that is told one of them can listen on it all the same if it sets SO_REUSEADDR, as
    Triton and asyncio do: the sockets that hold the ports set it too, and do not listen.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.socket(family, socket.SOCK_STREAM)) for _ in range(count)
        ]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((host, 0))
        yield [each.getsockname()[1] for each in sockets]
