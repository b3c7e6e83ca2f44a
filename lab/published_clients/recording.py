"""Taps between a published client and the gateway: what each says, for the tests to replay.

Audio is kept as its length, a file as `FILE`: the tests have the recording that was sent. A
connection to another path than the gateway's first has that in its first line.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import websockets

FILE = "<the file>"
MAX_BYTES = 1 << 26
_PER_CONNECTION = ("host", "connection", "content-length", "transfer-encoding", "user-agent")
_PRIVATE = ("authorization", "x-stainless-os", "x-stainless-arch")


@contextmanager
def websocket_tap(gateway: str, exchanges: list[str]) -> Iterator[int]:
    """Pass messages on to a gateway (host:port); gives the port to connect to.

    Args:
        gateway: host:port.
        exchanges: gets each connection as JSON lines, `{"client": …}` or `{"server": …}`, in the
            order in which they passed: text as it is, audio as its length.
    """
    ready: list[int] = []
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve(client: websockets.ServerConnection) -> None:
        lines: list[dict[str, Any]] = []
        subprotocols = [client.subprotocol] if client.subprotocol else None
        path = client.request.path if client.request else "/"
        if path != "/":
            lines.append({"path": path})
        async with websockets.connect(
            f"ws://{gateway}{path}",
            subprotocols=subprotocols,
            max_size=MAX_BYTES,
            ping_interval=None,
        ) as behind:
            ways = (
                asyncio.create_task(_pass("client", client, behind, lines)),
                asyncio.create_task(_pass("server", behind, client, lines)),
            )
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        exchanges.append("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    async def listen() -> None:
        async with websockets.serve(
            serve,
            "127.0.0.1",
            0,
            max_size=MAX_BYTES,
            ping_interval=None,
            select_subprotocol=lambda connection, offered: offered[0] if offered else None,
        ) as server:
            ready.append(next(iter(server.sockets)).getsockname()[1])
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(listen(),))
    thread.start()
    started.wait()
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def _pass(who: str, source: Any, target: Any, lines: list[dict[str, Any]]) -> None:
    with suppress(websockets.ConnectionClosed):
        async for message in source:
            lines.append({who: _kept(message)})
            await target.send(message)


def _kept(message: str | bytes) -> str | int:
    """Return what is kept of a message: audio, in the Realtime API's events too, as its length."""
    if not isinstance(message, str):
        return len(message)
    if '"input_audio_buffer.append"' not in message:
        return message
    event = json.loads(message)
    return json.dumps({**event, "audio": len(base64.b64decode(event["audio"]))})


@contextmanager
def http_tap(gateway: str, file: Path, exchanges: list[str]) -> Iterator[int]:
    """Pass HTTP requests on to a gateway; gives the port to connect to.

    Args:
        gateway: host:port.
        file: what clients upload; its bytes are not kept.
        exchanges: gets each request and the shape of its answer, a JSON object.
    """
    content = file.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Pass a request on."""
            body = self._body()
            behind = http.client.HTTPConnection(gateway, timeout=300)
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("host", "transfer-encoding", "content-length")
            }
            behind.request(self.command, self.path, body or None, headers)
            answer = behind.getresponse()
            data = answer.read()
            if answer.status != http.HTTPStatus.NOT_FOUND or body:
                exchanges.append(self._written(body, answer.status, answer.headers, data))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            behind.close()

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def _written(self, body: bytes, status: int, headers: Any, data: bytes) -> str:
            kind = headers.get("content-type", "")
            exchange = {
                "request": {
                    "method": self.command,
                    "path": self.path,
                    "headers": {
                        name: value
                        for name, value in self.headers.items()
                        if name.lower() not in (*_PER_CONNECTION, *_PRIVATE)
                    },
                    "body": body.replace(content, FILE.encode()).decode("latin-1"),
                },
                "response": {
                    "status": status,
                    "type": kind,
                    "shape": shape(json.loads(data)) if kind == "application/json" else None,
                },
            }
            return json.dumps(exchange, ensure_ascii=False, indent=1) + "\n"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def shape(value: Any) -> Any:
    """Return what of a JSON value does not depend on the models: its names and types."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if type(value) in (int, float) else type(value).__name__
