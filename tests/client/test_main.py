"""`python -m asr_client` is `triton-asr`; how the process ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile

from asr_client.cli import build_parser
from tests.client import misbehaving


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "asr_client", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_module_runs_the_command_line():
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: triton-asr ")
    assert build_parser().description in done.stdout


def test_its_exit_status_is_the_command_lines():
    done = run("models", "--url", f"http://127.0.0.1:{misbehaving.refusing_port()}")
    assert done.returncode == 3
    assert done.stderr.startswith("triton-asr models: ")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--vad-option", "detect_mode=0", "expected max_end_silence_time, "),
        ("--vad-option", "max_end_silence_time=-1", "max_end_silence_time: expected "),
        ("--vad-option", "max_end_silence_time=nan", "max_end_silence_time: expected "),
        ("--language", "klingon", "expected one of auto, "),
        ("--speakers", "99", "expected 1 to 50, or 'auto'; got 99"),
        ("--channels", "x", "expected 'mix', "),
        ("--raw-rate", "5", "expected 1000 to 768000 Hz; got 5"),
        ("--raw-rate", "16k", "expected a whole number above 0; got '16k'"),
    ],
)
def test_a_wrong_value_is_told_by_its_option(option, value, expected, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["transcribe", "a.wav", option, value])
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert f": {option}: {expected}" in error
    assert "vad_options" not in error and "sample_rate" not in error


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_ctrl_c_ends_a_real_run_at_once(scheme, tmp_path):
    """The server takes the connection and then never answers a request."""
    connected = threading.Event()

    def handle(connection: socket.socket, ended: threading.Event) -> None:
        connected.set()
        misbehaving.silent(connection, ended)

    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(16000), 16000)
    with misbehaving.tcp_server(handle) as port:
        command = [sys.executable, "-m", "asr_client", "transcribe", str(path), "--timeout", "3600"]
        url = f"{scheme}://127.0.0.1:{port}"
        process = subprocess.Popen([*command, "--url", url], stderr=subprocess.PIPE, text=True)
        assert connected.wait(60)
        time.sleep(0.5)  # it waits
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)  # far less than the command's
    assert process.returncode == 130
    assert err == "triton-asr: interrupted\n"


def test_a_reader_that_leaves_is_no_crash(tmp_path):
    """`triton-asr … | head -0`: no traceback."""
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from tests.client.test_cli import FakeClient; from asr_client.cli import main;"
        "texts = {str(i): 'x' * 5000 for i in range(100)};"
        "sys.exit(main(['transcribe', *texts], client_factory=FakeClient(texts)))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 1
    assert err == ""
