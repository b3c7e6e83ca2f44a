"""What is asked of Triton's control of models ends, whatever becomes of Triton."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from asr_server.commands import index, load, model_control, unload
from asr_server.run import TritonServerError
from asr_server.run.control import ModelControl


@pytest.fixture
def silent():
    """The port of one that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("is_running", "timeout_s", "message"),
    [(False, 600.0, "has ended before it answered"), (True, 0.5, "no answer within 0.5 s")],
)
def test_a_server_that_cannot_answer_is_not_waited_for(silent, is_running, timeout_s, message):
    control = ModelControl(
        lambda timeout_s: http.client.HTTPConnection("127.0.0.1", silent, timeout=timeout_s),
        is_running=lambda: is_running,
    )
    with pytest.raises(TritonServerError, match=message):
        control.load("sensevoice_encoder", timeout_s)


_STACK = "Internal: FileNotFoundError: no config.yaml\n\nAt:\n  /a/model.py(26): initialize\n"


class _Repository(BaseHTTPRequestHandler):
    """Triton's answers of a repository with a model that cannot be loaded."""

    asked: list[str]

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(self.path + (" with a model" if said else ""))
        status, answer = 200, "{}"
        if self.path.endswith("/index"):
            state = {"version": "1", "state": "UNAVAILABLE", "reason": _STACK}
            answer = json.dumps([{"name": "broken", **state}, {"name": "other"}])
        elif self.path.endswith("broken/load") and not said:
            status, answer = 400, json.dumps({"error": f"load failed for model 'broken': {_STACK}"})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def repository(monkeypatch, tmp_path) -> Iterator[SimpleNamespace]:
    """What is asked of a server that the commands find."""
    handler = type("Handler", (_Repository,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        control = ModelControl(
            lambda timeout_s: http.client.HTTPConnection(
                "127.0.0.1", server.server_port, timeout=timeout_s
            )
        )
        for module in (model_control, index):
            monkeypatch.setattr(module, "model_control", lambda port: control)
        monkeypatch.setattr(model_control, "socket_folder", lambda port: tmp_path)
        yield SimpleNamespace(asked=handler.asked)
        server.shutdown()


def test_a_reason_is_one_line(repository, capsys):
    assert index.main([]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split(maxsplit=2) == [
        *("broken", "unavailable", "Internal: FileNotFoundError: no config.yaml"),
    ]
    assert shown[1].split(maxsplit=1) == ["other", "not loaded"]
    assert load.main(["broken"]) == 1
    assert capsys.readouterr().err.endswith(
        "load failed for model 'broken': Internal: FileNotFoundError: no config.yaml\n"
    )


def test_a_model_that_cannot_be_loaded_is_forgotten(repository):
    """Triton is not ready before, and what watches it would start it anew."""
    assert load.main(["broken"]) == 1
    models = [path for path in repository.asked if "/models/" in path]
    assert [path.partition("broken/")[2] for path in models] == [
        *("load", "load with a model", "unload"),
    ]


@pytest.mark.parametrize("command", [load, unload])
def test_a_model_that_is_not_there_is_named_before_anything_is_changed(repository, capsys, command):
    assert command.main(["other", "nothing"]) == 1
    assert "no model 'nothing' is in the repositories" in capsys.readouterr().err
    assert [path.rpartition("/")[2] for path in repository.asked] == ["index"]
