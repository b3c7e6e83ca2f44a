"""Sends hostile messages at every door, each from many connections, until a number is reached."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct

import grpc
import websockets

from tests.serve_command import Serving
from tests.soak.attack.messages import (
    grpc_message,
    http_request,
    kserve_request,
    websocket_message,
)

# Addresses of their own, as attackers have; what one may do at a time is bounded.
ATTACKERS = [(f"127.0.0.{number}", 0) for number in range(66, 78)]
CONNECTIONS = 12  # at a time and door
FRAMES = 150  # on a websocket
_PATIENCE_S = 5.0
_RESETS = 0.2  # of connections
_BREATH_S = 0.05  # after what was refused at once

# Which share of the messages goes where; frames are the cheapest.
SHARES = {"websocket": 0.9, "http": 0.02, "kserve": 0.04, "metrics": 0.01, "grpc": 0.03}


class Attack:
    """Messages that are left to send, by door.

    Attributes:
        sent: how many were, by door.
    """

    def __init__(self, server: Serving, seed: int, messages: int) -> None:
        self._server = server
        self._seed = seed
        self._left = {door: round(share * messages) for door, share in SHARES.items()}
        self.sent = dict.fromkeys(SHARES, 0)
        self.over = False

    async def run(self) -> None:
        """Send all, or what can be until `over`."""
        workers = [
            self._work(door, random.Random(f"{self._seed} {door} {number}"))
            for door in SHARES
            for number in range(CONNECTIONS)
        ]
        await asyncio.gather(*workers)

    async def _work(self, door: str, choice: random.Random) -> None:
        send = {
            "websocket": self._websocket,
            "http": lambda choice: self._raw(choice, self._server.gateway_port, http_request),
            "kserve": lambda choice: self._raw(choice, self._server.http_port, kserve_request),
            "metrics": lambda choice: self._raw(choice, self._server.metrics_port, kserve_request),
            "grpc": self._grpc,
        }[door]
        while self._left[door] > self.sent[door] and not self.over:
            try:
                self.sent[door] += await send(choice)
            except (OSError, TimeoutError, asyncio.TimeoutError, websockets.WebSocketException):
                self.sent[door] += 1
                await asyncio.sleep(_BREATH_S)

    async def _websocket(self, choice: random.Random) -> int:
        """Open a websocket, send frames until it is closed; returns how many."""
        sent = 0
        url = f"ws://127.0.0.1:{self._server.gateway_port}/{choice.choice(('', 'ws', 'v1/x'))}"
        origin = choice.choice((None, None, None, "https://evil.example"))
        connecting = websockets.connect(
            url,
            origin=origin,
            local_addr=choice.choice(ATTACKERS),
            ping_interval=None,
            open_timeout=_PATIENCE_S,
            close_timeout=1,
            compression=None,
        )
        async with connecting as websocket:
            reading = asyncio.create_task(_drain(websocket))
            try:
                for _ in range(FRAMES):
                    message = websocket_message(choice)
                    await asyncio.wait_for(websocket.send(message), _PATIENCE_S)
                    sent += 1
            except (websockets.ConnectionClosed, UnicodeError, TimeoutError, asyncio.TimeoutError):
                sent += 1
            finally:
                reading.cancel()
                if choice.random() < _RESETS:
                    websocket.transport.abort()
        return max(sent, 1)

    async def _raw(self, choice: random.Random, port: int, make: object) -> int:
        request = make(choice, f"127.0.0.1:{port}")  # type: ignore[operator]
        opening = asyncio.open_connection("127.0.0.1", port, local_addr=choice.choice(ATTACKERS))
        reader, writer = await asyncio.wait_for(opening, _PATIENCE_S)
        try:
            writer.write(request)
            if choice.random() < _RESETS:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
            else:
                await asyncio.wait_for(reader.read(1 << 16), _PATIENCE_S)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return 1

    async def _grpc(self, choice: random.Random) -> int:
        target = f"127.0.0.1:{self._server.grpc_port}"
        async with grpc.aio.insecure_channel(target) as channel:
            methods = ("ModelInfer", "ModelConfig", "RepositoryModelUnload", "LogSettings", "x")
            for _ in range(20):
                path = f"/inference.GRPCInferenceService/{choice.choice(methods)}"
                with contextlib.suppress(grpc.RpcError):
                    await channel.unary_unary(path)(grpc_message(choice), timeout=_PATIENCE_S)
        return 20


async def _drain(websocket: websockets.ClientConnection) -> None:
    with contextlib.suppress(websockets.ConnectionClosed):
        async for _ in websocket:
            pass
