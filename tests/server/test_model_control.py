"""Models that are loaded and unloaded by command on a server that runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from asr_client import Client
from asr_server.models import KINDS, copy_repository
from tests import prepared_models
from tests.serve_command import serving
from tests.serving import RANDOM_MODELS


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serves SenseVoice from a repository in which `vad` is not installed."""
    folder = tmp_path_factory.mktemp("control")
    repository = copy_repository(KINDS["vad"], folder / "repository")
    source = RANDOM_MODELS / "sensevoice-tiny-seed0"
    prepared_models.put(KINDS["sensevoice"], source, repository)
    with serving([repository], folder / "server.log") as server:
        yield server


def run(server, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr_server", *words, f"--http-port={server.http_port}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_model_that_is_not_installed_leaves_the_server_ready(server):
    failed = run(server, "load", "vad")
    assert failed.returncode == 1
    assert len(failed.stderr.splitlines()) == 1
    with Client(server.grpc_url) as client:
        client.check_ready("sensevoice")
    listed = run(server, "index").stdout.splitlines()
    assert len(listed) == len({line.split()[0] for line in listed})  # a line for each


def test_a_model_is_unloaded_and_loaded(server):
    with Client(server.grpc_url) as client:
        assert run(server, "unload", "sensevoice").returncode == 0
        assert not client.is_ready("sensevoice")
        assert client.is_ready()
        assert run(server, "load", "sensevoice").returncode == 0
        client.check_ready("sensevoice")
