"""Where a `tritonserver` listens: on open ports, or on sockets that are its user's alone."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from asr_server.run.installation import TritonServerError
from asr_server.run.ports import held_ports, port_is_free
from asr_server.sockets import GRPC_SOCKET, HTTP_SOCKET, METRICS_SOCKET

_FRONT_ENDS = ("HTTP", "gRPC", "metrics")


class Listening(Protocol):
    """The three front ends of a server: HTTP, gRPC, metrics."""

    def hold(self) -> None:
        """Take what it listens on, so that nobody else does before it."""

    def release(self) -> None:
        """Let go of it."""

    def arguments(self) -> list[str]:
        """Return the words of the command line that say where to listen."""

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """Return a connection to its HTTP front end that is not made yet."""


class Ports:
    """TCP ports of one address.

    Args:
        host: the address; IPv6 with brackets or without.
        ports: of HTTP, gRPC and metrics; 0 picks a free one, when they are held.
    """

    def __init__(self, host: str, ports: Sequence[int]) -> None:
        self.host = host.strip("[]")
        self._ports = list(ports)
        self._held = ExitStack()  # Triton takes them only when its models are loaded

    @property
    def http_port(self) -> int:
        """That of HTTP, once it is held."""
        return self._ports[0]

    def url(self, front_end: int) -> str:
        """Return host:port of one of them, as clients write it."""
        return f"{bracketed(self.host)}:{self._ports[front_end]}"

    def addresses(self) -> list[str]:
        """Return lines that say where clients find it."""
        return [
            f"HTTP     http://{self.url(0)}",
            f"gRPC     grpc://{self.url(1)}",
            f"metrics  http://{self.url(2)}/metrics",
        ]

    def hold(self) -> None:
        """Choose ports and hold them.

        Raises:
            TritonServerError: one is in use.
        """
        for name, port in zip(_FRONT_ENDS, self._ports, strict=True):
            if port:
                check_free(name, self.host, port)
        chosen = iter(self._held.enter_context(held_ports(3, self.host)))
        self._ports = [port or next(chosen) for port in self._ports]

    def release(self) -> None:
        """Let go of them."""
        self._held.close()

    def arguments(self) -> list[str]:
        """As `Listening.arguments`."""
        http_port, grpc_port, metrics_port = self._ports
        is_v6 = ":" in self.host
        http_host = f"ipv6:{self.host}" if is_v6 else self.host  # libevhtp's way to say it
        return [
            f"--http-address={http_host}",
            f"--http-port={http_port}",
            f"--grpc-address={bracketed(self.host)}",
            f"--grpc-port={grpc_port}",
            f"--metrics-address={http_host}",
            f"--metrics-port={metrics_port}",
        ]

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """As `Listening.connection`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return http.client.HTTPConnection(host, self._ports[0], timeout=timeout_s)


class Sockets:
    """Unix sockets in a folder that only its owner can enter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hold(self) -> None:
        """Remove sockets of a server before, which Triton would not listen on."""
        for name in (HTTP_SOCKET, GRPC_SOCKET, METRICS_SOCKET):
            (self.folder / name).unlink(missing_ok=True)

    def release(self) -> None:
        """Nothing is held: who connects to a server that is gone is refused."""

    def arguments(self) -> list[str]:
        """As `Listening.arguments`; the ports mean nothing, but Triton wants them to differ."""
        grpc_name, _, grpc_port = GRPC_SOCKET.rpartition(":")
        return [
            f"--http-address=unix:{self.folder / HTTP_SOCKET}",
            f"--grpc-address=unix:{self.folder / grpc_name}",
            f"--grpc-port={grpc_port}",
            f"--metrics-address=unix:{self.folder / METRICS_SOCKET}",
        ]

    def connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """As `Listening.connection`."""
        return UnixHTTPConnection(self.folder / HTTP_SOCKET, timeout_s)


class UnixHTTPConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def check_free(name: str, host: str, port: int) -> None:
    """See that nobody listens on a port.

    Raises:
        TritonServerError: somebody does, or the address is none of this machine.
    """
    try:
        if port_is_free(host, port):
            return
    except OSError as error:
        raise TritonServerError(f"{name}: cannot listen on {host}:{port} ({error})") from error
    option = f"--{name.lower()}-port"
    raise TritonServerError(
        f"{name}: port {port} of {host} is in use by another program; {option} names another"
    )


def bracketed(host: str) -> str:
    """Return an address as it stands before `:port`."""
    return f"[{host}]" if ":" in host else host
