"""A model's process that is late, or dies, while a real server starts or loads a model anew."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from asr_server.run import ServerFlags, TritonServer, TritonServerError
from asr_server.run.processes import stub_processes
from tests.serving import READY_TIMEOUT_S

MODEL = """
import os, pathlib, signal, time
import triton_python_backend_utils as pb_utils

HERE = pathlib.Path(__file__).parent

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        if (HERE / "dies").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        config.add_output({"name": "y", "data_type": "TYPE_FP32", "dims": [1]})
        return config

    def initialize(self, args):
        (HERE / "begun").touch()
        while not (HERE / "go").exists():
            time.sleep(0.05)

    def execute(self, requests):
        return [pb_utils.InferenceResponse([]) for _ in requests]
"""
CONFIG = 'backend: "python"\ninput [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]\n'
CONFIG += "instance_group [ { count: 1 kind: KIND_CPU } ]\n"
INSTANCE = "slow_0_0"
LOOKS_S = 7.0  # longer than anything that is ended is looked at


@pytest.fixture
def version(tmp_path):
    """The folder of a model that starts when there is a file `go`, and says that it has begun."""
    version = tmp_path / "repository" / "slow" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    return version


@pytest.fixture
def server(version, tmp_path):
    flags = ServerFlags(model_control_mode="explicit", load_models=["slow"])
    server = TritonServer([tmp_path / "repository"], log=tmp_path / "log", flags=flags)
    yield server
    server.stop(grace=0.0)


def begun(server, version) -> int:
    """Wait until the model starts; returns its process."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not (version / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (pid,) = (pid for pid, name in stub_processes(server.pid).items() if name == INSTANCE)
    return pid


def make_late(server, version) -> int:
    """Stop the process of a model while it starts; the next one starts at once."""
    pid = begun(server, version)
    os.kill(pid, signal.SIGSTOP)
    (version / "go").touch()
    return pid


def test_a_late_one_is_started_once_more(server, version):
    server.start()
    late = make_late(server, version)
    server.wait_ready(READY_TIMEOUT_S)
    assert f"'{INSTANCE}' is not healthy" in server.log_text()
    assert [*stub_processes(server.pid).values()] == [INSTANCE]
    assert late not in stub_processes(server.pid)


def test_one_that_is_late_when_it_is_loaded_anew(server, version):
    (version / "go").touch()
    server.start()
    server.wait_ready(READY_TIMEOUT_S)
    os.kill(begun(server, version), signal.SIGKILL)
    while not (lost := server.lost_models()):
        time.sleep(0.02)
    for name in ("go", "begun"):
        (version / name).unlink()
    delaying = threading.Thread(target=make_late, args=(server, version))
    delaying.start()
    server.reload(lost, READY_TIMEOUT_S)
    delaying.join()
    assert server.lost_models() == []


def test_a_slow_one_is_left_alone(server, version):
    server.start()
    pid = begun(server, version)
    with pytest.raises(TritonServerError, match="was not ready after"):
        server.wait_ready(LOOKS_S)
    assert pid in stub_processes(server.pid)
    (version / "go").touch()
    server.wait_ready(READY_TIMEOUT_S)
    assert pid in stub_processes(server.pid)


def test_one_that_dies_before_it_has_said_a_word_ends_the_server(server, version):
    (version / "dies").touch()
    server.start()
    with pytest.raises(TritonServerError, match="process of a model that had died"):
        server.wait_ready(READY_TIMEOUT_S)
    assert server.has_crashed()
