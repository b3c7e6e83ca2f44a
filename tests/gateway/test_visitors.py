"""Pages of other origins, names of other machines, and sockets that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time

import pytest
import requests
import websockets
from starlette.requests import HTTPConnection

from asr_gateway.service.uvicorn_protocols import MAX_WAITING
from asr_gateway.service.visitors import HEADERS, VisitorRules
from asr_gateway.shared.settings import GatewaySettings, SettingsError
from tests.gateway.gateways import (
    RunningGateway,
    begin,
    client_of,
    recognise,
    running_gateway,
    spoken_pcm,
    texts,
)

TIMEOUT_S = 60
AUDIO = spoken_pcm(1)
SERVED = GatewaySettings(host="127.0.0.1")
EVERYWHERE = GatewaySettings(host="0.0.0.0", allow_anyone=True)
KEYED = GatewaySettings(host="0.0.0.0", api_keys=("key",))


def problem(settings: GatewaySettings, path: str = "/v1/models", **headers: str) -> str | None:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "query_string": b"", "headers": raw, "scheme": "http"}
    found = VisitorRules(settings).problem(
        HTTPConnection({**scope, "server": ("127.0.0.1", 10095)})
    )
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("settings", "host", "expected"),
    [
        (SERVED, "127.0.0.1:10095", None),
        (SERVED, "127.1.2.3:10095", None),
        (SERVED, "localhost:10095", None),
        (SERVED, "LocalHost", None),
        (SERVED, "[::1]:10095", None),
        (SERVED, "evil.example:10095", "host"),
        (SERVED, "localhost.evil.example", "host"),
        (SERVED, "127.0.0.1.evil.example", "host"),
        (SERVED, "192.168.1.5:10095", "host"),
        (SERVED, "[broken", "host"),
        (SERVED, "a@localhost:10095", "host"),
        (EVERYWHERE, "192.168.1.5:10095", None),
        (EVERYWHERE, socket.gethostname(), None),
        (EVERYWHERE, "evil.example", "host"),
        (KEYED, "evil.example", None),
        (GatewaySettings(allowed_hosts=("asr.example",)), "asr.example:443", None),
        (GatewaySettings(allowed_hosts=("*",)), "any.example", None),
    ],
)
def test_hosts(settings, host, expected):
    assert problem(settings, host=host) == expected
    assert problem(settings, path="/readyz", host=host) is None


@pytest.mark.parametrize(
    ("settings", "origin", "expected"),
    [
        (SERVED, "http://localhost:10095", None),
        (SERVED, "https://localhost:10095", None),  # behind a proxy that ends TLS
        (SERVED, "http://localhost:8000", "origin"),
        (SERVED, "http://localhost", "origin"),
        (SERVED, "https://evil.example", "origin"),
        (SERVED, "http://localhost:10095.evil.example", "origin"),
        (SERVED, "null", "origin"),
        (SERVED, "", "origin"),
        (SERVED, "[", "origin"),
        (KEYED, "https://evil.example", None),
        (GatewaySettings(allowed_origins=("null",)), "null", None),
        (GatewaySettings(allowed_origins=("null",)), "https://evil.example", "origin"),
        (GatewaySettings(allowed_origins=("https://a.example",)), "https://a.example", None),
        (GatewaySettings(allowed_origins=("*",)), "https://evil.example", None),
    ],
)
def test_origins(settings, origin, expected):
    assert problem(settings, host="localhost:10095", origin=origin) == expected


def test_what_a_foreign_page_loads_as_a_picture():
    fetched = {"host": "localhost:10095", "sec_fetch_site": "cross-site"}
    assert problem(SERVED, sec_fetch_mode="no-cors", **fetched) == "origin"
    assert problem(SERVED, sec_fetch_mode="navigate", **fetched) is None  # a link to the page


def test_settings_say_what_an_origin_is():
    with pytest.raises(SettingsError, match="expected \\*, null or scheme"):
        GatewaySettings(allowed_origins=("evil.example",))


def test_both_protocols_refuse(gateway):
    foreign = {"Origin": "https://evil.example"}
    for headers in (foreign, {"Host": "evil.example"}):
        answer = requests.post(
            f"{gateway.http}/v1/audio/transcriptions",
            files={"file": b"x"},
            headers=headers,
            timeout=TIMEOUT_S,
        )
        assert answer.status_code == 403
        assert answer.headers["x-request-id"].startswith("req_")
        assert "expected" in answer.json()["error"]["message"]
    assert requests.options(gateway.http, headers=foreign, timeout=TIMEOUT_S).status_code == 403

    async def connect(**options) -> None:
        async with client_of(gateway, **options):
            pass

    for origin in ("https://evil.example", "null"):
        with pytest.raises(websockets.InvalidStatus, match="403"):
            asyncio.run(connect(origin=origin))
    asyncio.run(connect(origin=gateway.http))


def test_security_headers_are_in_every_answer(gateway):
    for path in ("/", "/static/index.html", "/static/none", "/nothing", "/v1/models", "/metrics"):
        answer = requests.get(gateway.http + path, timeout=TIMEOUT_S)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
    refused = requests.get(gateway.http, headers={"Host": "evil.example"}, timeout=TIMEOUT_S)
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


async def closed(websocket: websockets.ClientConnection) -> tuple[int | None, str]:
    """The close code, and the error that came before it."""
    error = ""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            error = json.loads(await websocket.recv()).get("error", "")
    return websocket.close_code, error


def test_the_first_message_has_to_come_soon(triton_url):
    async def run(gateway: RunningGateway) -> None:
        async with client_of(gateway) as silent, client_of(gateway) as speaking:
            await speaking.send(begin())
            code, error = await asyncio.wait_for(closed(silent), 10)
            assert (code, error) == (1008, "nothing came for 1 s")
            await speaking.send(AUDIO[:3200])

    with running_gateway(triton_url, first_message_timeout_s=1.0) as gateway:
        asyncio.run(run(gateway))


def test_idle_sockets_give_way_and_lock_nobody_out(triton_url):
    """At the same address: those that have sent no audio make room, the oldest first."""

    async def run(gateway: RunningGateway) -> None:
        async with contextlib.AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(client_of(gateway)) for _ in range(12)]
            await idle[-1].send(begin())  # no audio yet
            in_use = [await stack.enter_async_context(client_of(gateway)) for _ in range(3)]
            for websocket in in_use:
                await websocket.send(begin(mode="online"))
                await websocket.send(AUDIO[:3200])
            await asyncio.sleep(0.3)
            for _ in range(3):
                assert texts(await recognise(gateway, AUDIO), "2pass-offline")
            code, error = await closed(idle[0])
            assert code == 1013 and "needed for another session" in error
            assert all(websocket.close_code is None for websocket in in_use)
            more = [await stack.enter_async_context(client_of(gateway)) for _ in range(5)]
            for websocket in more:
                with contextlib.suppress(websockets.ConnectionClosed):
                    await websocket.send(begin(mode="online"))
                    await websocket.send(AUDIO[:3200])
            await asyncio.sleep(0.5)
            assert all(websocket.close_code is None for websocket in in_use)  # none that works

    with running_gateway(triton_url, max_sessions_per_client=5) as gateway:
        asyncio.run(run(gateway))


def test_connections_without_a_request_are_few(gateway):
    host, port = gateway.address.split(":")
    with contextlib.ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection((host, int(port)), TIMEOUT_S))
            for _ in range(MAX_WAITING + 20)
        ]
        time.sleep(0.5)
        assert requests.get(f"{gateway.http}/healthz", timeout=5).status_code == 200
        assert silent[0].recv(1) == b""  # the oldest was closed
        silent[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert silent[-1].recv(100).startswith(b"HTTP/1.1 200")
