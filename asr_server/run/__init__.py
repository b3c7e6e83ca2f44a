"""Finds, starts and watches a `tritonserver`.

`asr_server.run.docker_server` runs one in a container; it needs the `docker` package, so that it is
imported only where that is asked for.
"""

from asr_server.run.flags import ServerFlags
from asr_server.run.installation import TritonInstallation, TritonServerError, find_installation
from asr_server.run.instances import count_instances, usable_cores
from asr_server.run.interface import Endpoints, Server
from asr_server.run.ports import held_ports
from asr_server.run.processes import bound_to_starter
from asr_server.run.supervision import READY_TIMEOUT_S, serve
from asr_server.run.triton_server import TritonServer
from asr_server.run.with_gateway import ServerWithGateway

__all__ = [
    "READY_TIMEOUT_S",
    "Endpoints",
    "Server",
    "ServerFlags",
    "ServerWithGateway",
    "TritonInstallation",
    "TritonServer",
    "TritonServerError",
    "bound_to_starter",
    "count_instances",
    "find_installation",
    "held_ports",
    "serve",
    "usable_cores",
]
