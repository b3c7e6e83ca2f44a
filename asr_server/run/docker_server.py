"""Runs the server in the NGC container, through the `docker` package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import docker
from docker.errors import DockerException, NotFound
from docker.types import DeviceRequest

from asr_server.places import ROOT
from asr_server.run.endpoints import Endpoints
from asr_server.run.installation import TritonServerError
from asr_server.run.releases import CURRENT, Release, check_release
from asr_server.run.supervision import READY_TIMEOUT_S

IMAGE = "triton-asr"
# Its ports are reachable as they are published, so that no key is asked for inside.
SERVE = ("triton-asr-server", "serve", "--host=0.0.0.0", "--no-api-key", "--log=-")
CONTAINER_ROOT = "/opt/triton-asr"
HTTP, GRPC, METRICS = "8000/tcp", "8001/tcp", "8002/tcp"
STOP_TIMEOUT_S = 30


class DockerServer:
    """A server in a container built from the project's Dockerfile, with its doors; a `Part`.

    Args:
        repositories: model repositories on this machine, mounted read-only.
        endpoints: where to publish its ports; ports must not be 0.
        gpus: "all", "none" or a number of GPUs.
        shm_size: shared memory of the container: tensors pass through it between processes.
        client: a docker client, by default the one of this machine's engine.
        release: of Triton, which the image is built on.
    """

    name = "the container"
    start_timeout_s = READY_TIMEOUT_S
    stop_timeout_s = float(STOP_TIMEOUT_S)
    drains = False

    def __init__(
        self,
        repositories: Sequence[Path],
        endpoints: Endpoints,
        gpus: str,
        shm_size: str,
        client: Any = None,
        release: Release = CURRENT,
    ) -> None:
        self._repositories = repositories
        self._endpoints = endpoints
        self._gpus = gpus
        self._shm_size = shm_size
        self._client = client
        self._release = release
        self._container: Any = None

    def addresses(self) -> list[str]:
        """Return lines that say where clients find it."""
        endpoints = self._endpoints
        return [
            f"HTTP     http://{endpoints.host}:{endpoints.http_port}",
            f"gRPC     grpc://{endpoints.host}:{endpoints.grpc_port}",
            f"metrics  http://{endpoints.host}:{endpoints.metrics_port}/metrics",
        ]

    def start(self) -> None:
        """Build the image and start the container.

        Raises:
            TritonServerError: no Docker engine answers, or it refuses, or a model is configured
                for another release.
        """
        check_release(self._repositories, self._release)
        try:
            self._client = self._client or docker.from_env()
            image, _ = self._client.images.build(
                path=str(ROOT),
                tag=IMAGE,
                rm=True,
                buildargs={"TRITON_RELEASE": str(self._release)},
            )
            self._container = self._client.containers.run(image, **self.run_options())
        except DockerException as error:
            raise TritonServerError(f"docker: {error}") from error

    def run_options(self) -> dict[str, Any]:
        """Return the options of `docker run`."""
        mounts = {
            str(path): {"bind": f"{CONTAINER_ROOT}/{path.name}", "mode": "ro"}
            for path in self._repositories
        }
        endpoints = self._endpoints
        ports = {
            HTTP: (endpoints.host, endpoints.http_port),
            GRPC: (endpoints.host, endpoints.grpc_port),
            METRICS: (endpoints.host, endpoints.metrics_port),
        }
        return {
            "command": [
                *SERVE,
                *(f"--model-repository={mount['bind']}" for mount in mounts.values()),
            ],
            "tmpfs": {"/tmp": "exec"},
            "read_only": True,
            "volumes": mounts,
            "ports": ports,
            "shm_size": self._shm_size,
            "device_requests": self._device_requests(),
            "detach": True,
            "remove": True,
        }

    def _device_requests(self) -> list[DeviceRequest]:
        if self._gpus == "none":
            return []
        count = -1 if self._gpus == "all" else int(self._gpus)
        return [DeviceRequest(count=count, capabilities=[["gpu"]])]

    def is_ready(self) -> bool:
        """Return whether the server in the container says so."""
        endpoints = self._endpoints
        url = f"http://{endpoints.host}:{endpoints.http_port}/v2/health/ready"
        try:
            with urlopen(url, timeout=1):
                return True
        except (URLError, OSError):
            return False

    def progress(self) -> str:
        """Return nothing: its log is the container's."""
        return ""

    def is_running(self) -> bool:
        """Return whether the container still runs."""
        try:
            self._container.reload()
        except NotFound:
            return False
        return bool(self._container.status == "running")

    def lost(self) -> list[str]:
        """Return nothing: what runs in the container watches itself."""
        return []

    def mend(self, lost: list[str]) -> None:
        """Never called."""
        raise TritonServerError(f"the container: {lost}")

    def reason_for_ending(self) -> str:
        """Return the last lines the container wrote, as far as it still exists."""
        try:
            return f"ended:\n{self._container.logs(tail=40).decode(errors='replace')}"
        except NotFound:
            return "ended, and is gone"

    def has_crashed(self) -> bool:
        """As `Part.has_crashed`: what runs in the container starts anew what crashes there."""
        return False

    def drain(self) -> None:
        """As `Part.drain`; what runs in the container does when that is stopped."""

    def stop(self, at_once: bool = False) -> None:
        """Stop the container; harmless if it never started or is gone."""
        if self._container is None:
            return
        try:
            self._container.stop(timeout=0 if at_once else STOP_TIMEOUT_S)
        except NotFound:
            pass
        finally:
            self._container = None
