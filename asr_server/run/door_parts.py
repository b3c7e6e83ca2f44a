"""The doors of a server, each a process; see `asr_server.doors`."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asr_server.run.endpoints import Endpoints
from asr_server.run.installation import TritonServerError
from asr_server.run.listening import bracketed, check_free
from asr_server.run.parts import ProcessPart
from asr_server.run.ports import bound_socket
from asr_server.sockets import HTTP_LEFT

_BACKLOG = 512
_STOP_S = 1.0  # Triton has ended by then, and with it what was under way


@dataclass(frozen=True)
class DoorSettings:
    """What is let in.

    Attributes:
        keys: one of them has to come with each request; none to let everybody in.
        allowed_hosts: names of this server beside addresses and `localhost`.
    """

    keys: Sequence[str] = ()
    allowed_hosts: Sequence[str] = field(default=())


class Doors:
    """The two doors in front of one Triton, and the ports that they listen on.

    The ports are taken at once, and kept while a door is started anew: those of HTTP and metrics
    listen all the time, so that clients wait for a new door and are not refused.

    Args:
        endpoints: where to listen; port 0 picks a free one.
        settings: what is let in.

    Raises:
        TritonServerError: a port is in use, or the address is none of this machine.
    """

    def __init__(self, endpoints: Endpoints, settings: DoorSettings) -> None:
        self._host = endpoints.host.strip("[]")
        self._settings = settings
        self._http = self._listen("HTTP", endpoints.http_port)
        self._metrics = self._listen("metrics", endpoints.metrics_port)
        self._grpc = self._take("gRPC", endpoints.grpc_port)

    @property
    def http_port(self) -> int:
        """The port of the HTTP door."""
        return _port(self._http)

    def addresses(self) -> list[str]:
        """Return lines that say where clients find it."""
        host = bracketed(self._host)
        return [
            f"HTTP     http://{host}:{self.http_port}",
            f"gRPC     grpc://{host}:{_port(self._grpc)}",
            f"metrics  http://{host}:{_port(self._metrics)}/metrics",
        ]

    def parts(self, sockets: Path) -> list[ProcessPart]:
        """Return the processes.

        Args:
            sockets: the folder where Triton listens.
        """
        from asr_server.doors.__main__ import KEYS_VARIABLE

        module = ["asr_server.doors"]
        shared = ["--sockets", str(sockets)]
        shared += [f"--allowed-host={host}" for host in self._settings.allowed_hosts]
        env = {KEYS_VARIABLE: "\n".join(self._settings.keys)}
        descriptors = (self._http.fileno(), self._metrics.fileno())
        http_words = [f"--http-fd={descriptors[0]}", f"--metrics-fd={descriptors[1]}"]
        grpc_address = f"{bracketed(self._host) or '0.0.0.0'}:{_port(self._grpc)}"
        return [
            ProcessPart(
                "the HTTP door",
                [*module, "http", *shared, *http_words],
                address=(self._reachable, self.http_port),
                env=env,
                inherited=descriptors,
                stop_timeout_s=_STOP_S,
                drain_signal=signal.SIGUSR1,
                drained_file=sockets / HTTP_LEFT,
            ),
            ProcessPart(
                "the gRPC door",
                [*module, "grpc", *shared, f"--address={grpc_address}"],
                address=(self._reachable, _port(self._grpc)),
                env=env,
                stop_timeout_s=_STOP_S,
                drain_signal=signal.SIGUSR1,
                ends_drained=True,
            ),
        ]

    def close(self) -> None:
        """Let go of the ports."""
        for each in (self._http, self._metrics, self._grpc):
            each.close()

    @property
    def _reachable(self) -> str:
        """An address to connect to."""
        return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self._host, self._host)

    def _listen(self, name: str, port: int) -> socket.socket:
        taken = self._take(name, port)
        taken.listen(_BACKLOG)
        return taken

    def _take(self, name: str, port: int) -> socket.socket:
        if port:
            check_free(name, self._host, port)
        try:
            return bound_socket(self._host, port)
        except OSError as error:
            raise TritonServerError(
                f"{name}: cannot listen on {self._host}:{port} ({error.strerror})"
            ) from error


def _port(taken: socket.socket) -> int:
    port: int = taken.getsockname()[1]
    return port
