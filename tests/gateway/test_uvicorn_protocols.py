"""A client that does not read what it asked for."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn
from starlette.responses import StreamingResponse

from asr_gateway.service.uvicorn_protocols import http_protocol

TIMEOUT_S = 60
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

    listener = socket.create_server(("127.0.0.1", 0))
    protocol = http_protocol(header_timeout_s=TIMEOUT_S, send_timeout_s=5)
    config = uvicorn.Config(
        StreamingResponse(endless()), http=protocol, lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        with socket.create_connection(listener.getsockname(), timeout=TIMEOUT_S) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            received = 0
            while received < 100 * len(PART):  # one that reads gets all it can read
                data = raw.recv(1 << 20)
                assert data, "the connection was closed"
                received += len(data)
            assert not ended.is_set()
            assert ended.wait(TIMEOUT_S)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
