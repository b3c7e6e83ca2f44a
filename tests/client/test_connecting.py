"""What a user reads when no connection comes about."""

from __future__ import annotations

import ssl
from types import SimpleNamespace

import aiohttp
import pytest

from asr_client import Client, ConnectionFailed, OptionError
from asr_client.transport.connecting import connection_failure
from tests.client import misbehaving


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_port_where_nobody_listens(scheme):
    url = f"{scheme}://127.0.0.1:{misbehaving.refusing_port()}"
    with Client(url) as client, pytest.raises(ConnectionFailed) as failure:
        client.check_ready()
    told = str(failure.value)
    assert told.startswith(f"{url}: ")
    assert "Connection refused (no server listens there" in told
    assert "ipv4" not in told and "ssl:default" not in told


def test_grpc_at_a_port_of_http():
    answer = misbehaving.http_answer("400 Bad Request", b"")
    with (
        misbehaving.tcp_server(answer) as port,
        Client(f"grpc://127.0.0.1:{port}") as client,
        pytest.raises(ConnectionFailed, match="this port speaks HTTP; use http://"),
    ):
        client.check_ready()


def test_tls_at_a_port_without():
    with (
        misbehaving.tcp_server(misbehaving.garbage) as port,
        Client(f"https://127.0.0.1:{port}") as client,
        pytest.raises(ConnectionFailed, match="does the server speak TLS there"),
    ):
        client.check_ready()


def test_what_is_not_known_is_told_as_it_is():
    assert connection_failure(OSError("an odd one")) == "an odd one"
    assert connection_failure(OSError()) == "OSError"


@pytest.mark.parametrize("url", ["grpc://127.0.0.1:port", "http://127.0.0.1:99999"])
def test_a_port_that_is_none(url):
    with pytest.raises(OptionError, match="the port is a number from 0 to 65535; got"):
        Client(url)


def test_a_certificate_that_is_not_trusted():
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed")
    refused.verify_message = "self-signed certificate"
    key = SimpleNamespace(host="h", port=443, is_ssl=True)
    told = connection_failure(aiohttp.ClientConnectorCertificateError(key, refused))
    assert told.startswith("cannot connect: certificate verify failed: self-signed certificate (")
