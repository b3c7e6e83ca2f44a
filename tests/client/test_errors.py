"""Every call ends within its timeout, with our exception, whatever the server does."""

from __future__ import annotations

import asyncio
import time

import grpc
import numpy as np
import pytest

from asr_client import (
    AsyncClient,
    Client,
    ConnectionFailed,
    ModelNotFound,
    OptionError,
    ProtocolError,
    RequestRejected,
    RequestTimeout,
    ServerError,
    ServerNotReady,
)
from tests.client import misbehaving
from tests.client.ending import LONG_S, SLACK_S, TIMEOUT_S, WAV, error_of


class Caller:
    """Calls one of the four clients in the same words."""

    def __init__(self, scheme: str, asynchronous: bool, timeout_s: float = LONG_S) -> None:
        self.scheme = scheme
        self.asynchronous = asynchronous
        self.timeout_s = timeout_s

    def impatient(self) -> Caller:
        """The same with a short timeout, for servers that let one wait."""
        return Caller(self.scheme, self.asynchronous, TIMEOUT_S)

    def call(self, port: int, method: str, *arguments, **options):
        """Make a client, call it, close it; returns what the call returned."""
        url = f"{self.scheme}://127.0.0.1:{port}"
        if not self.asynchronous:
            with Client(url, timeout_s=self.timeout_s) as client:
                return getattr(client, method)(*arguments, **options)

        async def run():
            async with AsyncClient(url, timeout_s=self.timeout_s) as client:
                return await getattr(client, method)(*arguments, **options)

        return asyncio.run(run())

    def transcribe(self, port: int, **options):
        return self.call(port, "transcribe", WAV, sample_rate=16000, **options)


@pytest.fixture(params=["grpc", "grpc-async", "http", "http-async"])
def caller(request) -> Caller:
    scheme, _, kind = request.param.partition("-")
    return Caller(scheme, kind == "async")


@pytest.fixture(params=["http", "http-async"])
def http_caller(request) -> Caller:
    return Caller("http", request.param == "http-async")


def test_nobody_listens(caller):
    port = misbehaving.refusing_port()
    error = error_of(lambda: caller.transcribe(port))
    assert type(error) is ConnectionFailed
    assert f"{caller.scheme}://127.0.0.1:{port}" in str(error)
    assert type(error_of(lambda: caller.call(port, "models"))) is ConnectionFailed
    assert type(error_of(lambda: caller.call(port, "check_ready"))) is ConnectionFailed
    assert caller.call(port, "is_ready") is False


def test_a_server_that_never_answers(caller):
    with misbehaving.tcp_server(misbehaving.silent) as port:
        error = error_of(lambda: caller.impatient().transcribe(port))
        assert isinstance(error, (RequestTimeout, ConnectionFailed))
        assert isinstance(error_of(lambda: caller.impatient().call(port, "models")), RequestTimeout)
        start = time.monotonic()
        assert caller.call(port, "is_ready", timeout_s=TIMEOUT_S) is False
        assert time.monotonic() - start < TIMEOUT_S + SLACK_S


def test_the_timeout_of_a_call_beats_that_of_the_client(caller):
    with misbehaving.tcp_server(misbehaving.silent) as port:
        start = time.monotonic()
        error = error_of(lambda: caller.transcribe(port, timeout_s=0.2))
        assert "0.2 s" in str(error)
        assert time.monotonic() - start < 0.2 + SLACK_S


@pytest.mark.parametrize("handler", [misbehaving.hang_up, misbehaving.reset])
def test_a_server_that_hangs_up(caller, handler):
    with misbehaving.tcp_server(handler) as port:
        error = error_of(lambda: caller.transcribe(port))
        assert type(error) is ConnectionFailed


def test_a_grpc_server_that_dies_during_the_call():
    for asynchronous in (False, True):
        with misbehaving.tcp_server(misbehaving.http2_then_close) as port:
            caller = Caller("grpc", asynchronous)
            error = error_of(lambda: caller.transcribe(port))  # noqa: B023
            assert type(error) is ConnectionFailed


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_call_that_the_server_cancels_has_failed_for_its_sake(asynchronous):
    """As one that leaves does; this client was not closed."""
    with misbehaving.refusing_every_call(grpc.StatusCode.CANCELLED) as port:
        error = error_of(lambda: Caller("grpc", asynchronous).transcribe(port))
    assert type(error) is ConnectionFailed
    assert "the server is leaving" in str(error)


def test_a_server_that_speaks_something_else(caller):
    with misbehaving.tcp_server(misbehaving.garbage) as port:
        error = error_of(lambda: caller.impatient().transcribe(port))
        assert isinstance(error, (ConnectionFailed, RequestTimeout))


def test_an_answer_that_never_ends(http_caller):
    with misbehaving.tcp_server(misbehaving.drip) as port:
        assert type(error_of(lambda: http_caller.impatient().transcribe(port))) is RequestTimeout


def test_an_answer_that_breaks_off(http_caller):
    handler = misbehaving.http_answer("200 OK", b'{"outputs"', declared=1000)
    with misbehaving.tcp_server(handler) as port:
        error = error_of(lambda: http_caller.transcribe(port))
        assert type(error) is ConnectionFailed


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("400 Bad Request", b'{"error": "batch-size must be <= 8"}', RequestRejected),
        ("404 Not Found", b'{"error": "Request for unknown model: x"}', ModelNotFound),
        ("404 Not Found", b"<html>nothing here</html>", ServerError),
        ("404 Not Found", b'{"error": {"message": "Not Found", "code": null}}', ServerError),
        ("413 Payload Too Large", b'{"error": "too large"}', RequestRejected),
        ("500 Internal Server Error", b'{"error": "boom"}', ServerError),
        ("502 Bad Gateway", b"<html>" + b"x" * 9000 + b"</html>", ServerError),
        ("503 Service Unavailable", b'{"error": "no version is available"}', ServerNotReady),
        ("200 OK", b"<html>welcome</html>", ProtocolError),
        ("200 OK", b"{}", ProtocolError),
        ("200 OK", b'{"outputs": [{"name": "TRANSCRIPTS"}]}', ProtocolError),
        ("200 OK", b"", ProtocolError),
    ],
)
def test_http_answers(http_caller, status, body, kind):
    with misbehaving.tcp_server(misbehaving.http_answer(status, body)) as port:
        error = error_of(lambda: http_caller.transcribe(port))
        assert type(error) is kind
        assert len(str(error)) < 2500
        if b'"error"' in body:
            assert error.server_message is not None
            assert error.server_message in body.decode()


def test_a_dead_model_process_is_explained(http_caller):
    body = b"{\"error\": \"in ensemble 'sensevoice', Stub process 's_0_0' is not healthy.\"}"
    handler = misbehaving.http_answer("500 Internal Server Error", body)
    with misbehaving.tcp_server(handler) as port:
        error = error_of(lambda: http_caller.transcribe(port))
    assert type(error) is ServerError
    assert "Stub process 's_0_0' is not healthy" in str(error)
    assert "restart the server" in str(error)


def test_a_server_that_is_not_ready(http_caller):
    with misbehaving.tcp_server(misbehaving.http_answer("400 Bad Request", b"")) as port:
        assert http_caller.call(port, "is_ready") is False
        error = error_of(lambda: http_caller.call(port, "wait_ready", 0.5))
        assert type(error) is ServerNotReady
        assert "not ready within 0.5 s" in str(error)


@pytest.mark.parametrize("method", ["check_ready", "models"])
def test_what_is_no_triton_is_not_one_that_starts(http_caller, method):
    """As where somebody names the port of the gateway, or that of metrics."""
    answer = b'{"error": {"message": "Not Found", "type": "invalid_request_error"}}'
    with misbehaving.tcp_server(misbehaving.http_answer("404 Not Found", answer)) as port:
        error = error_of(lambda: http_caller.call(port, method))
    assert type(error) is ServerError
    assert str(error).endswith("Not Found (is this the HTTP port of a Triton server?)")


def test_waiting_says_why_it_was_in_vain(caller):
    port = misbehaving.refusing_port()
    error = error_of(lambda: caller.call(port, "wait_ready", 0.5))
    assert type(error) is ServerNotReady
    assert "connect" in str(error).lower()


def test_a_host_that_does_not_exist():
    with Client("http://no-such-host.invalid", timeout_s=5) as client:
        assert isinstance(error_of(client.models), (ConnectionFailed, RequestTimeout))
    with Client("grpc://no-such-host.invalid", timeout_s=5) as client:
        assert isinstance(error_of(client.models), (ConnectionFailed, RequestTimeout))


def test_every_item_of_many_keeps_its_error(caller):
    port = misbehaving.refusing_port()
    seen = []
    outcomes = caller.call(
        port,
        "transcribe_many",
        iter([WAV, np.zeros(0, np.float32), "missing.wav", 3]),
        sample_rate=16000,
        concurrency=2,
        on_result=seen.append,
    )
    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3]
    assert sorted(outcome.index for outcome in seen) == [0, 1, 2, 3]
    names = [type(outcome.error).__name__ for outcome in outcomes]
    assert names == ["ConnectionFailed", "AudioError", "AudioError", "AudioError"]
    with pytest.raises(ConnectionFailed):
        outcomes[0].get()


def test_many_reads_its_items_only_as_it_needs_them(caller):
    read = []

    def items():
        for index in range(10):
            read.append(index)
            yield WAV

    class StopError(Exception):
        pass

    def stop(outcome):
        raise StopError

    port = misbehaving.refusing_port()
    with pytest.raises(StopError):
        caller.call(
            port, "transcribe_many", items(), sample_rate=16000, concurrency=2, on_result=stop
        )
    assert len(read) <= 3


def test_options_are_checked_before_anything_is_sent(caller):
    port = misbehaving.refusing_port()
    for options in ({"language": "xx"}, {"concurrency": 0}):
        with pytest.raises(OptionError):
            caller.call(port, "transcribe_many", [WAV], sample_rate=16000, **options)
    for timeout_s in (0, -1, float("nan"), float("inf"), "5"):
        with pytest.raises(OptionError, match="timeout_s"):
            caller.transcribe(port, timeout_s=timeout_s)
        with pytest.raises(OptionError, match="timeout_s"):
            caller.call(port, "is_ready", timeout_s=timeout_s)


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_tls(scheme, tmp_path):
    """Against a server that does not speak it, and with a file of authorities that is not there."""
    for client_class in (Client, AsyncClient):
        with pytest.raises(OptionError, match="ca_file"):
            client_class(f"{scheme}://127.0.0.1", ca_file=str(tmp_path / "missing.pem"))
    for asynchronous in (False, True):
        caller = Caller(scheme, asynchronous, TIMEOUT_S)
        with misbehaving.tcp_server(misbehaving.garbage) as port:
            error = error_of(lambda: caller.transcribe(port))  # noqa: B023
            assert isinstance(error, (ConnectionFailed, RequestTimeout))
