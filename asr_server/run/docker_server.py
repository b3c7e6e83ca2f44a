"""Runs the server in the NGC container, through the `docker` package."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import docker
from docker.errors import DockerException, NotFound
from docker.types import DeviceRequest

from asr_server.places import ROOT
from asr_server.run.flags import GRPC_POOL, load_arguments
from asr_server.run.installation import TritonServerError
from asr_server.run.interface import Endpoints
from asr_server.run.releases import CURRENT, Release, check_release

IMAGE = "triton-asr"
CONTAINER_ROOT = "/opt/triton-asr"
HTTP, GRPC, METRICS = "8000/tcp", "8001/tcp", "8002/tcp"
STOP_TIMEOUT_S = 30


class DockerServer:
    """A `tritonserver` in a container built from the project's Dockerfile.

    Args:
        repositories: model repositories on this machine, mounted read-only.
        endpoints: where to publish its ports; ports must not be 0.
        gpus: "all", "none" or a number of GPUs.
        shm_size: shared memory of the container: tensors pass through it between processes.
        client: a docker client, by default the one of this machine's engine.
        release: of Triton, which the image is built on.
        load_models: the models to load; all where there is none.
    """

    def __init__(
        self,
        repositories: Sequence[Path],
        endpoints: Endpoints,
        gpus: str,
        shm_size: str,
        client: Any = None,
        load_models: Sequence[str] = (),
        release: Release = CURRENT,
    ) -> None:
        self._repositories = repositories
        self._endpoints = endpoints
        self._gpus = gpus
        self._shm_size = shm_size
        self._client = client
        self._load_models = load_models
        self._release = release
        self._container: Any = None
        self.http_url = f"{endpoints.host}:{endpoints.http_port}"
        self.grpc_url = f"{endpoints.host}:{endpoints.grpc_port}"
        self.metrics_url = f"http://{endpoints.host}:{endpoints.metrics_port}/metrics"

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
                "tritonserver",
                *(f"--model-repository={mount['bind']}" for mount in mounts.values()),
                GRPC_POOL,
                *load_arguments("explicit" if self._load_models else None, self._load_models),
            ],
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

    def wait_ready(self, timeout: float) -> None:
        """Wait until the server in the container answers.

        Raises:
            TritonServerError: it ended or did not become ready in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                with urlopen(f"http://{self.http_url}/v2/health/ready", timeout=5):
                    return
            except (URLError, OSError):
                if not self.is_running():
                    raise TritonServerError(f"the container ended:\n{self.log_tail()}") from None
                time.sleep(0.5)
        raise TritonServerError(f"not ready after {timeout:g} s:\n{self.log_tail()}")

    def is_running(self) -> bool:
        """Return whether the container still runs."""
        try:
            self._container.reload()
        except NotFound:
            return False
        return bool(self._container.status == "running")

    def lost_models(self) -> list[str]:
        """Return nothing: processes inside the container are not looked at from here."""
        return []

    def log_tail(self) -> str:
        """Return the last lines the container wrote, as far as it still exists."""
        try:
            return str(self._container.logs(tail=40).decode(errors="replace"))
        except NotFound:
            return "(the container is gone)"

    def stop(self) -> None:
        """Stop the container; harmless if it never started or is gone."""
        if self._container is None:
            return
        try:
            self._container.stop(timeout=STOP_TIMEOUT_S)
        except NotFound:
            pass
        finally:
            self._container = None
