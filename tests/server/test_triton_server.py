"""A server that is started is also ended, whatever happens to its starter."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from asr_server.run import TritonServer, TritonServerError
from tests.serving import READY_TIMEOUT_S

ECHO = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse([]) for _ in requests]
"""
CONFIG = """backend: "python"
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""


@pytest.fixture
def repository(tmp_path):
    version = tmp_path / "repository" / "echo" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(ECHO)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    return tmp_path / "repository"


def session_of(pid):
    """Names of the live processes in a session."""
    names = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, _, _, session = rest.split()[:4]
        if int(session) == pid and state != "Z":
            names.append(name)
    return names


def gone(pid, within=120):
    deadline = time.monotonic() + within
    while session_of(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not session_of(pid)


def test_nothing_is_left_after_stop(repository, tmp_path):
    with TritonServer([repository], log=tmp_path / "log") as server:
        server.wait_ready(READY_TIMEOUT_S)
        pid = server.pid
        assert len(session_of(pid)) >= 2  # the server and a stub
        with urllib.request.urlopen(server.metrics_url) as page:
            assert b"nv_inference_count" in page.read()
        with pytest.raises(TritonServerError, match="already started"):
            server.start()
        regions = list(Path("/dev/shm").glob(f"{server._shm_prefix}*"))
        assert regions
    assert session_of(pid) == []
    assert not any(region.exists() for region in regions)
    server.stop()  # harmless


def test_a_killed_server_leaves_nothing(repository, tmp_path):
    with TritonServer([repository], log=tmp_path / "log") as server:
        server.wait_ready(READY_TIMEOUT_S)
        pid = server.pid
        prefix = server._shm_prefix
        os.kill(pid, signal.SIGKILL)
    assert session_of(pid) == []
    assert not list(Path("/dev/shm").glob(f"{prefix}*"))


def test_it_ends_with_its_starter(repository, tmp_path):
    code = f"""
import pathlib, sys, time
from asr_server.run.triton_server import TritonServer
log = pathlib.Path({str(tmp_path / "log")!r})
server = TritonServer([pathlib.Path({str(repository)!r})], log=log)
server.start(); server.wait_ready({READY_TIMEOUT_S})
print(server.pid, flush=True)
time.sleep(600)
"""
    # a killed starter cannot remove its temporary folder
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as starter:
        pid = int(starter.stdout.readline())
        assert session_of(pid)
        starter.kill()
    assert gone(pid)


def test_the_log_says_why_it_ended(repository, tmp_path):
    (repository / "echo" / "1" / "model.py").write_text("raise ValueError('no luck today')")
    words = r"(?s)ended with status 1 .*no luck today"
    server = TritonServer([repository], log=tmp_path / "log")
    with server, pytest.raises(TritonServerError, match=words):
        server.wait_ready(READY_TIMEOUT_S)


def test_a_repository_must_exist(tmp_path):
    with pytest.raises(TritonServerError, match="is not a folder"):
        TritonServer([tmp_path / "models"], log=tmp_path / "log").start()
