"""What is wrong with a command line of `serve` is said before anything is begun."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator

import pytest

from asr_server.commands.serve import main
from asr_server.run import held_ports
from asr_server.sockets import SocketFolderError, sole_socket_folder


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("port", ["-1", "65536", "http", "8e3"])
@pytest.mark.parametrize("option", ["--http-port", "--grpc-port", "--metrics-port"])
def test_what_is_no_port_is_refused(capsys, option, port):
    with pytest.raises(SystemExit) as caught:
        main([f"{option}={port}"])
    assert caught.value.code == 2
    assert f"{option}: expected 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--http-port=9000", "--grpc-port=9000"], "expected ports that differ"),
        (["--gateway-option=--port=9"], "expected --gateway, too"),
        (["--gpus=1"], "--gpus: expected --docker, too"),
        (["--shm-size=2g"], "--shm-size: expected --docker, too"),
        (["--release=24.10"], "--release: expected --docker, too"),
        (["--host=0.0.0.0", "--api-key-file=missing"], ": missing: No such file"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(capsys, arguments, complaint):
    assert main(arguments) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("nothing", "/nothing: expected a folder with models"), ("empty", "serve: no model is there")],
)
def test_a_repository_without_models_is_refused(tmp_path, capsys, name, complaint):
    (tmp_path / "empty").mkdir()
    ports = ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    assert main([*ports, f"--model-repository={tmp_path / name}"]) == 1
    assert complaint in capsys.readouterr().err


def test_messages_name_no_classes(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = [f"--http-port={port}", "--grpc-port=0", "--metrics-port=0"]
        assert main(ports, "serve") == 1
    assert capsys.readouterr().err == (
        f"serve: HTTP: port {port} of 127.0.0.1 is in use by another program; --http-port names "
        "another\n"
    )


def test_a_server_at_the_same_port_of_another_address_leaves_the_first_alone():
    with held_ports(1) as (port,), sole_socket_folder(port) as folder:
        (folder / "http").touch()
        second = sole_socket_folder(port)
        with pytest.raises(SocketFolderError, match=f"HTTP port {port} runs here already"):
            second.__enter__()
        assert (folder / "http").exists()
    assert [each for each in folder.parent.iterdir() if each.name.startswith(str(port))] == []
    with sole_socket_folder(port) as folder:
        assert list(folder.iterdir()) == []
