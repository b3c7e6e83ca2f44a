"""A websocket below the library: frames as no client writes them."""

from __future__ import annotations

import contextlib
import socket as sockets
import struct

from tests.gateway.gateways import RunningGateway

TIMEOUT_S = 60
CONTINUATION, TEXT, BINARY, PING = 0, 1, 2, 9  # opcodes

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n{more}\r\n"
)


def handshake(gateway: RunningGateway, path: str = "/") -> sockets.socket:
    """A raw connection that speaks websocket."""
    host, port = gateway.address.split(":")
    raw = sockets.create_connection((host, int(port)), timeout=TIMEOUT_S)
    raw.sendall(HANDSHAKE.format(path=path, more="").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += some(raw, 1)
    assert b" 101 " in answer
    return raw


def some(raw: sockets.socket, most: int = 65536) -> bytes:
    """What comes next; the connection must not be closed."""
    data = raw.recv(most)
    assert data, "the connection was closed"
    return data


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A masked frame, the mask being zero."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = bytes([0x80 | 126]) + struct.pack(">H", size)
    else:
        length = bytes([0x80 | 127]) + struct.pack(">Q", size)
    return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + payload


def until_closed(raw: sockets.socket) -> bytes:
    """Everything that comes before the connection is closed."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := raw.recv(65536):
            received += data
    raw.close()
    return received
