"""Small servers on 127.0.0.1 that do everything wrong, each in its own way."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

Handler = Callable[[socket.socket, threading.Event], None]


@contextlib.contextmanager
def tcp_server(handle: Handler) -> Iterator[int]:
    """Accept connections and give each to `handle` on its own thread; yields the port.

    `handle` gets the connection and an event that is set when the server ends.
    """
    ended = threading.Event()

    def serve_one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            handle(connection, ended)

    def accept() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


_REFUSING: list[socket.socket] = []  # kept, or the port might become another's


def refusing_port() -> int:
    """A port on which nobody listens."""
    if not _REFUSING:
        _REFUSING.append(socket.socket())
        _REFUSING[0].bind(("127.0.0.1", 0))  # without listen()
    return int(_REFUSING[0].getsockname()[1])


def silent(connection: socket.socket, ended: threading.Event) -> None:
    """Accept, read whatever comes, never answer."""
    connection.settimeout(0.1)
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            if not connection.recv(1 << 16):
                return


def hang_up(connection: socket.socket, ended: threading.Event) -> None:
    """Close the connection once something arrived."""
    connection.recv(1 << 16)


def reset(connection: socket.socket, ended: threading.Event) -> None:
    """Reset the connection (RST) once something arrived."""
    connection.recv(1 << 16)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def garbage(connection: socket.socket, ended: threading.Event) -> None:
    """Speak neither HTTP nor gRPC."""
    connection.recv(1 << 16)
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n\x00\xff" * 10)
    silent(connection, ended)


def http_answer(
    status: str, body: bytes, *, declared: int | None = None, then: Handler | None = None
) -> Handler:
    """Answer each HTTP request so; with `declared` the body is announced to be that long."""

    def handle(connection: socket.socket, ended: threading.Event) -> None:
        read_http_request(connection)
        length = len(body) if declared is None else declared
        head = f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode() + body)
        if then is not None:
            then(connection, ended)

    return handle


def drip(connection: socket.socket, ended: threading.Event) -> None:
    """Send an endless answer, a byte every 50 ms: no single read ever times out."""
    read_http_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not ended.is_set():
        connection.sendall(b" ")
        time.sleep(0.05)


def http2_then_close(connection: socket.socket, ended: threading.Event) -> None:
    """Complete the HTTP/2 handshake as a gRPC server does, then close in the middle of a call."""
    connection.sendall(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")  # an empty SETTINGS frame
    received = b""
    while b"ModelInfer" not in received and b"ServerReady" not in received:
        data = connection.recv(1 << 16)
        if not data:
            return
        received += data
        if len(received) > 300:  # HEADERS are Huffman-coded: enough came to hold a call
            return


def read_http_request(connection: socket.socket) -> None:
    """Read one request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(1 << 16)
        if not part:
            return
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = connection.recv(1 << 16)
        if not part:
            return
        body += part


@contextlib.contextmanager
def refusing_every_call(code: grpc.StatusCode) -> Iterator[int]:
    """A gRPC server that ends every call with a status; yields its port."""

    class Refusing(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            def refuse(_requests: Any, context: grpc.ServicerContext) -> None:
                context.abort(code, "the server is leaving")

            return grpc.stream_stream_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(4), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()
