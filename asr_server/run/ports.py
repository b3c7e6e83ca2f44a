"""Ports that a server can be given, without a race with other programs."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def held_ports(count: int, host: str = "127.0.0.1") -> Iterator[list[int]]:
    """Give `count` different TCP ports that nobody else gets from the system within the block.

    A server that is told one of them can listen on it all the same if it sets SO_REUSEADDR, as
    Triton and asyncio do: the sockets that hold the ports set it too, and do not listen.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(bound_socket(host, 0)) for _ in range(count)]
        yield [each.getsockname()[1] for each in sockets]


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to a port, and does not listen.

    Args:
        host: an address or a name; "::" is all interfaces, of IPv4 too, "" those of IPv4.
        port: 0 picks a free one.

    Raises:
        OSError: the port is in use, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def port_is_free(host: str, port: int) -> bool:
    """Return whether nobody listens on a port.

    Raises:
        OSError: the address is none of this machine.
    """
    try:
        bound_socket(host, port).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
