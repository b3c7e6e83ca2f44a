"""What the demonstrations without the SDK say when something is wrong: one line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from asr_server.places import ROOT, SAMPLES
from asr_server.run import held_ports
from tests.client import misbehaving

DEMOS = sorted((ROOT / "clients").glob("client_demo_*.py"))
OF_FILES = [demo for demo in DEMOS if "microphone" not in demo.name]
SAMPLE = SAMPLES / "zh_1.wav"


def failed(demo, *arguments, **variables):
    """Run a demonstration that fails and return the lines of its complaint."""
    command = [sys.executable, str(demo), *map(str, arguments)]
    env = {**os.environ, **variables}
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    assert run.returncode in (1, 2)
    return run.stderr.splitlines()


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("demo", OF_FILES, ids=lambda demo: demo.stem)
def test_no_server(demo, scheme):
    with held_ports(1) as (port,):  # nobody listens there
        url = f"{scheme}://127.0.0.1:{port}"
        (line,) = failed(demo, "--url", url, SAMPLE)
    assert line.startswith(f"{url}: ") and "refused" in line


@pytest.mark.parametrize("demo", OF_FILES, ids=lambda demo: demo.stem)
def test_no_file(demo, tmp_path):
    (line,) = failed(demo, tmp_path / "missing.wav")
    assert "missing.wav" in line


@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.stem)
def test_a_url_without_a_scheme(demo):
    files = [SAMPLE] if demo in OF_FILES else []
    *_, line = failed(demo, "--url", "127.0.0.1:8001", *files)
    assert line.endswith("--url: expected grpc://… or http://…, got 127.0.0.1:8001")


def test_no_microphone():
    (demo,) = set(DEMOS) - set(OF_FILES)
    (line,) = failed(demo, "--device", "no such microphone")
    assert "no such microphone" in line


@pytest.mark.parametrize("demo", OF_FILES, ids=lambda demo: demo.stem)
def test_a_port_that_speaks_no_http(demo):
    with misbehaving.tcp_server(misbehaving.garbage) as port:
        (line,) = failed(demo, "--url", f"http://127.0.0.1:{port}", SAMPLE)
    assert line.startswith(f"http://127.0.0.1:{port}: ")


def test_no_package_for_microphones(tmp_path):
    (demo,) = set(DEMOS) - set(OF_FILES)
    (tmp_path / "sounddevice.py").write_text("raise ImportError('no sounddevice')\n")
    (line,) = failed(demo, PYTHONPATH=str(tmp_path))
    assert line == 'no sounddevice: pip install "triton-asr[mic]", and PortAudio'
