"""Options and settings, and a gateway as its own process, with TLS."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
from importlib import metadata

import pytest
import requests
import websockets

from asr_contract.access import is_loopback
from asr_gateway.service.command_line import main
from asr_gateway.shared.limits import SessionLimits, TooManySessions
from asr_gateway.shared.settings import GatewaySettings, SettingsError
from asr_server.command_line import main as server_main
from asr_server.run import held_ports
from lab.published_clients.material import write_certificate

TIMEOUT_S = 120


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate of localhost and its key."""
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.9.9.9", True)),
        *(("0.0.0.0", False), ("::", False), ("192.168.0.1", False), ("example.com", False)),
        ("", False),
    ],
)
def test_loopback(host, expected):
    assert is_loopback(host) is expected


def test_other_machines_need_a_key_or_a_word():
    with pytest.raises(SettingsError, match="API key"):
        GatewaySettings(host="0.0.0.0")
    assert GatewaySettings(host="0.0.0.0", api_keys=("key",))
    assert GatewaySettings(host="0.0.0.0", allow_anyone=True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "0.0.0.0"], "API key"),
        (["--certfile", "missing.pem", "--keyfile", "missing.pem"], "missing.pem"),
        (["--certfile", __file__], "--certfile, --keyfile: expected both"),
        (["--certfile", __file__, "--keyfile", __file__], "a certificate and its key in PEM"),
        (["--port", "70000"], "65535"),
        (["--service", "3pass"], "3pass"),
        (["--vad-option", "nonsense=5"], "--vad-option"),
        (["--triton", "nowhere"], "--triton: expected grpc://host:port"),
        (["--allow-origin", "example.org"], "--allow-origin: expected *, null or scheme://"),
        (["--max-upload-mb", "100000"], "4000"),
        (["--port", "http"], "65535"),
        (["--idle-timeout", "0"], "above 0"),
        (["--idle-timeout", "1e9"], "less than 1e+06 s"),
        (["--max-sessions", "many"], "whole number above 0"),
        (["--hotword", "missing.txt"], "--hotword: missing.txt: No such file or directory"),
        (["--api-key-file", "missing"], "--api-key-file: missing: No such file or directory"),
    ],
)
def test_wrong_options_end_with_status_2(arguments, complaint, capsys, monkeypatch):
    monkeypatch.delenv("TRITON_ASR_API_KEY", raising=False)
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_port_in_use_is_named_in_a_line(capsys, host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as other:
        other.bind((host, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            main(["--host", host, "--port", str(port)])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        f"triton-asr-gateway: port {port} of {host} is in use by another program; --port names "
        "another\n"
    )


def test_an_address_of_another_machine_is_named_in_a_line(capsys):
    with pytest.raises(SystemExit):
        main(["--host", "192.0.2.1", "--no-api-key"])
    assert "cannot listen on port 10095 of 192.0.2.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("run", "program"), [(main, "triton-asr-gateway"), (server_main, "triton-asr-server")]
)
def test_each_program_says_its_version(capsys, run, program):
    with pytest.raises(SystemExit) as caught:
        run(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"{program} {metadata.version('triton-asr')}\n"


def test_a_file_of_hotwords_that_cannot_be_read_is_told_at_once(tmp_path, capsys):
    (tmp_path / "words.txt").write_text('{"阿里巴巴": ', encoding="utf-8")
    with pytest.raises(SystemExit) as ending:
        main(["--hotword", str(tmp_path / "words.txt")])
    assert ending.value.code == 2
    assert "broken JSON" in capsys.readouterr().err


_WITHOUT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
from asr_gateway.starting import main
sys.exit(main(["--help"]))
"""


@pytest.mark.parametrize(
    "blocked",
    [
        {"uvicorn"},
        {"python_multipart"},
        {"prometheus_client", "python_multipart", "starlette", "uvicorn", "websockets"},
    ],
)
def test_without_its_extra_the_gateway_says_what_to_install(blocked):
    command = [sys.executable, "-c", _WITHOUT.format(blocked=blocked)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert all(name in line for name in blocked)
    assert 'pip install "triton-asr[gateway]"' in line


def test_with_its_extra_the_gateway_runs():
    command = [sys.executable, "-c", _WITHOUT.format(blocked={"no_such_package"})]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert ended.returncode == 0 and "--triton" in ended.stdout


def test_places_are_counted_and_given_back():
    limits = SessionLimits(3, 2)
    with limits.session("a"), limits.session("a"):
        with pytest.raises(TooManySessions, match="this client"), limits.session("a"):
            pass
        with limits.session("b"):
            with pytest.raises(TooManySessions, match="takes no more"), limits.session("c"):
                pass
            assert limits.open == 3
    assert limits.open == 0
    limits.draining = True
    with pytest.raises(TooManySessions, match="shutting down"), limits.session("a"):
        pass


@pytest.fixture
def port():
    with held_ports(1) as ports:
        yield ports[0]


def test_as_a_process_with_tls(certificate, port, tmp_path):
    pem, key = certificate
    (tmp_path / "keys").write_text("one key\nanother key\n")
    command = [sys.executable, "-m", "asr_gateway", "--triton", "grpc://127.0.0.1:1"]
    options = ["--certfile", pem, "--keyfile", key, "--api-key-file", tmp_path / "keys"]
    process = subprocess.Popen(
        [*command, "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().split() == ["page", f"https://127.0.0.1:{port}/"]
        answer = requests.get(
            f"https://127.0.0.1:{port}/healthz", verify=str(pem), timeout=TIMEOUT_S
        )
        assert answer.json() == {"status": "ok"}

        async def run() -> None:
            context = ssl.create_default_context(cafile=pem)
            url = f"wss://127.0.0.1:{port}/?api_key=another%20key"
            async with websockets.connect(url, ssl=context, open_timeout=TIMEOUT_S) as socket:
                await socket.send('{"is_speaking": false}')
                assert "not available" in json.loads(await socket.recv())["error"]

        asyncio.run(run())
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert process.returncode == 0
    events = [json.loads(line) for line in log.splitlines()]
    assert {"started", "session refused", "shutdown"} <= {event["event"] for event in events}
    assert "another" not in log and "one key" not in log
