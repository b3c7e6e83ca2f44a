"""What is asked of Triton's control of models ends, whatever becomes of Triton."""

from __future__ import annotations

import http.client
import socket

import pytest

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
