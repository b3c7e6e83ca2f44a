"""Finds, starts and watches a `tritonserver` and what stands in front of it.

`asr_server.run.docker_server` runs one in a container; it needs the `docker` package, so that it is
imported only where that is asked for.
"""

from asr_server.run.control import ModelControl
from asr_server.run.door_parts import Doors, DoorSettings
from asr_server.run.endpoints import Endpoints
from asr_server.run.flags import ServerFlags
from asr_server.run.gateway_part import gateway_part
from asr_server.run.installation import TritonInstallation, TritonServerError, find_installation
from asr_server.run.instances import count_instances
from asr_server.run.listening import Ports, Sockets
from asr_server.run.parts import Part
from asr_server.run.ports import held_ports
from asr_server.run.processes import start_bound
from asr_server.run.supervision import READY_TIMEOUT_S, serve
from asr_server.run.triton_part import TritonPart
from asr_server.run.triton_server import TritonServer

__all__ = [
    "READY_TIMEOUT_S",
    "DoorSettings",
    "Doors",
    "Endpoints",
    "ModelControl",
    "Part",
    "Ports",
    "ServerFlags",
    "Sockets",
    "TritonInstallation",
    "TritonPart",
    "TritonServer",
    "TritonServerError",
    "count_instances",
    "find_installation",
    "gateway_part",
    "held_ports",
    "serve",
    "start_bound",
]
