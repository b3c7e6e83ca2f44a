"""What the docker engine is asked for; no engine runs here, so a recorder stands in for it."""

from types import SimpleNamespace

import docker
import pytest
from docker.errors import DockerException

from asr_server.models import KINDS
from asr_server.places import ROOT
from asr_server.run import Endpoints, TritonServerError
from asr_server.run.docker_server import DockerServer
from asr_server.run.releases import CURRENT, Release

ENDPOINTS = Endpoints("127.0.0.1", 9000, 9001, 9002)
REPOSITORIES = [ROOT / name for name in {kind.repository for kind in KINDS.values()}]


class RecordingEngine:
    """Keeps what it was asked; its container runs until stopped."""

    def __init__(self):
        self.built = self.ran = None
        self.stopped = False
        self.images = SimpleNamespace(build=self.build)
        self.containers = SimpleNamespace(run=self.run)

    def build(self, **options):
        self.built = options
        return "image", []

    def run(self, image, **options):
        self.ran = (image, options)
        return SimpleNamespace(
            status="running", reload=lambda: None, stop=self.stop, logs=lambda tail: b"log"
        )

    def stop(self, timeout):
        self.stopped = True


def test_the_repositories_are_mounted_read_only_and_served():
    engine = RecordingEngine()
    server = DockerServer(REPOSITORIES, ENDPOINTS, "all", "2g", client=engine)
    server.start()
    assert engine.built["path"] == str(ROOT)
    assert engine.built["buildargs"] == {"TRITON_RELEASE": "26.09"}
    image, options = engine.ran
    assert image == "image"
    for path in REPOSITORIES:
        mount = options["volumes"][str(path)]
        assert mount["mode"] == "ro"
        assert f"--model-repository={mount['bind']}" in options["command"]
    assert options["command"][:2] == ["triton-asr-server", "serve"]  # with its doors
    assert options["read_only"]
    assert options["ports"]["8001/tcp"] == ("127.0.0.1", 9001)
    assert options["shm_size"] == "2g"
    assert server.is_running()
    server.stop()
    assert engine.stopped


@pytest.mark.parametrize(("gpus", "count"), [("all", -1), ("2", 2)])
def test_gpus_are_requested(gpus, count):
    (request,) = DockerServer([], ENDPOINTS, gpus, "1g", client=RecordingEngine()).run_options()[
        "device_requests"
    ]
    assert request["Count"] == count
    assert request["Capabilities"] == [["gpu"]]


def test_none_requests_no_gpu():
    server = DockerServer([], ENDPOINTS, "none", "1g", client=RecordingEngine())
    assert server.run_options()["device_requests"] == []


def test_without_an_engine_it_says_so(monkeypatch):
    def no_engine():
        raise DockerException("Error while fetching server API version")

    monkeypatch.setattr(docker, "from_env", no_engine)
    with pytest.raises(TritonServerError, match="docker: Error while fetching"):
        DockerServer([], ENDPOINTS, "none", "1g").start()


def test_models_for_another_onnxruntime_are_not_served():
    engine = RecordingEngine()
    server = DockerServer(
        REPOSITORIES, ENDPOINTS, "all", "1g", client=engine, release=Release(24, 10)
    )
    with pytest.raises(TritonServerError, match=r"configure-gpu cuda --release 24\.10"):
        server.start()
    assert engine.built is None


def test_the_images_release_is_the_current_one():
    text = (ROOT / "Dockerfile").read_text()
    assert (
        f"ARG TRITON_RELEASE={CURRENT}\nFROM nvcr.io/nvidia/tritonserver:${{TRITON_RELEASE}}-py3"
        in text
    )
    assert text.index("\nUSER 1000:1000\n") > text.index("\nRUN pip install")
