"""Clients that do not read what they asked for, or send what is no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time

import pytest
import uvicorn
import websockets.sync.client
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from asr_gateway.service import uvicorn_protocols
from asr_gateway.service.uvicorn_protocols import EndingWebSocketProtocol, http_protocol
from tests.gateway.raw_websocket import BINARY, HANDSHAKE, frame, until_closed

TIMEOUT_S = 60
CLOSE = 8
PART = bytes(65536)


def test_an_answer_that_nobody_reads_is_given_up():
    ended = threading.Event()

    async def endless():
        try:
            while True:
                yield PART
                await asyncio.sleep(0)  # sending to a client that has gone returns at once
        finally:
            ended.set()

    with (
        served(StreamingResponse(endless()), send_timeout_s=5) as address,
        socket.create_connection(address, timeout=TIMEOUT_S) as raw,
    ):
        raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < 100 * len(PART):  # one that reads gets all it can read
            data = raw.recv(1 << 20)
            assert data, "the connection was closed"
            received += len(data)
        assert not ended.is_set()
        assert ended.wait(TIMEOUT_S)


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD_CHUNK = b"no size\r\n"
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"


async def body_of(scope, receive) -> bytes:
    """Return what came, whole or not, as our endpoints take it."""
    received = b""
    with contextlib.suppress(ClientDisconnect):
        async for piece in Request(scope, receive).stream():
            received += piece
    return received


async def answers_behind_the_body(scope, receive, send):
    await body_of(scope, receive)
    await Response(b"whole")(scope, receive, send)


async def answers_at_once(scope, receive, send):
    await Response(b"whole")(scope, receive, send)


async def answers_while_it_reads(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    await asyncio.sleep(0.2)
    await send({"type": "http.response.body", "body": await body_of(scope, receive)})


@pytest.mark.parametrize("app", [answers_behind_the_body, answers_at_once, answers_while_it_reads])
@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + BAD_CHUNK],
        [HEAD, BAD_CHUNK],
        [HEAD + b"2\r\nab\r\n", BAD_CHUNK],
        [WHOLE + HEAD + BAD_CHUNK + WHOLE],
        [b"\0\r\n\r\n" + WHOLE],
    ],
    ids=["at once", "later", "within", "behind another", "no request"],
)
def test_what_is_no_http_is_no_error_of_ours(caplog, app, pieces):
    with served(app) as address, socket.create_connection(address, timeout=TIMEOUT_S) as raw:
        received = b""
        for piece in pieces:
            raw.sendall(piece)
            time.sleep(0.1)
        with contextlib.suppress(ConnectionError):
            while data := raw.recv(65_536):
                received += data
    assert received.startswith(b"HTTP/1.1 ")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("size", [1, 10_000])
def test_messages_that_nobody_takes_are_not_read(size):
    """And in order all the same, when somebody does."""
    count, taken, waiting = 30_000_000 // (size + 1000), [], []
    begin = threading.Event()

    async def slow(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while not begin.is_set():
            await asyncio.sleep(0.01)
        waiting.append(receive.__self__.queue.qsize())
        for _ in range(count):
            taken.append(int((await receive())["text"][-9:]))
        await send({"type": "websocket.close"})

    def send_all(socket) -> None:
        for number in range(count):
            socket.send(str(number).zfill(size))

    with (
        served(slow) as (host, port),
        websockets.sync.client.connect(f"ws://{host}:{port}", max_size=None) as socket,
    ):
        sending = threading.Thread(target=send_all, args=(socket,))
        sending.start()
        sending.join(1)
        begin.set()
        sending.join(TIMEOUT_S)
        with contextlib.suppress(websockets.ConnectionClosed):
            socket.recv(TIMEOUT_S)
    assert taken == list(range(count))
    # what is read at a time, behind the bound
    assert 0 < waiting[0] < (1 << 18) / size + 1000


def test_a_session_that_ends_ends_at_once_for_who_sent_ahead(monkeypatch):
    """His answer to the close comes behind all that he sent, which nobody takes any more."""
    monkeypatch.setattr(uvicorn_protocols, "_CLOSING_S", 10 * TIMEOUT_S)

    async def refuse(scope, receive, send):
        receive.__self__.close_timeout = 10 * TIMEOUT_S
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1013})

    with served(refuse) as address, socket.create_connection(address, timeout=TIMEOUT_S) as raw:
        raw.sendall(HANDSHAKE.format(path="/", more="").encode())
        assert b" 101 " in raw.recv(65_536)
        raw.sendall(frame(BINARY, bytes(10_000)) * 100 + frame(CLOSE, struct.pack(">H", 1013)))
        until_closed(raw)


@contextlib.contextmanager
def served(app, send_timeout_s=TIMEOUT_S):
    """Where an application is served by our protocol, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    protocol = http_protocol(header_timeout_s=TIMEOUT_S, send_timeout_s=send_timeout_s)
    config = uvicorn.Config(
        app, http=protocol, ws=EndingWebSocketProtocol, lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
