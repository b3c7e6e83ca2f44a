"""Sends hostile messages at every door, each from many connections, until a number is reached.

The senders are processes of their own and write bytes to sockets: what a client's library would
cost is left to the server. A message counts when it was written to a connection that was open
(frames), or when it was answered or cut off (requests).
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
import socket
import struct
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import grpc

from tests.gateway.raw_websocket import HANDSHAKE
from tests.serve_command import Serving
from tests.soak.attack.messages import (
    grpc_message,
    http_request,
    kserve_request,
    websocket_frame,
)

# Addresses of their own, as attackers have; what one may do at a time is bounded.
ATTACKERS = [(f"127.0.0.{number}", 0) for number in range(66, 78)]
CONNECTIONS = 12  # at a time and door
FRAMES = 150  # on a websocket
_TOGETHER = 10  # frames in one write
_REQUESTS = 8  # on a connection, one behind the other without waiting
_CALLS = 40  # on a channel of gRPC
_PATIENCE_S = 5.0
_RESETS = 0.2  # of connections
_BREATH_S = 0.05  # after what was refused at once

# Which share of the messages goes where; frames are the cheapest.
SHARES = {"websocket": 0.9, "http": 0.02, "kserve": 0.04, "metrics": 0.01, "grpc": 0.03}
_LINGER_0 = struct.pack("ii", 1, 0)  # close by a reset


class Attack:
    """Messages that are left to send, by door; the senders are processes of their own.

    Args:
        server: with a gateway.
        seed: of the messages.
        messages: how many.
    """

    def __init__(self, server: Serving, seed: int, messages: int) -> None:
        context = multiprocessing.get_context("spawn")
        ports = {
            "websocket": server.gateway_port,
            "http": server.gateway_port,
            "kserve": server.http_port,
            "metrics": server.metrics_port,
            "grpc": server.grpc_port,
        }
        self._over = context.Event()
        self._counters = {door: context.Value("q", 0) for door in SHARES}
        doors = [
            (door, ports[door], round(SHARES[door] * messages), self._counters[door])
            for door in SHARES
        ]
        # Frames are most of it, and have a process of their own.
        self._processes = [
            context.Process(target=_send, args=(seed, some, self._over))
            for some in (doors[:1], doors[1:])
        ]

    @property
    def sent(self) -> dict[str, int]:
        """How many were sent, by door."""
        return {door: counter.value for door, counter in self._counters.items()}

    def start(self) -> None:
        """Begin."""
        for process in self._processes:
            process.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait for a while; returns whether all were sent."""
        deadline = time.monotonic() + timeout_s
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        return not any(process.is_alive() for process in self._processes)

    def stop(self) -> None:
        """End, all sent or not.

        Raises:
            RuntimeError: a sender failed.
        """
        self._over.set()
        for process in self._processes:
            process.join()
        if failed := [each.exitcode for each in self._processes if each.exitcode]:
            raise RuntimeError(f"senders ended with {failed}")


def _send(seed: int, doors: list[tuple[str, int, int, Any]], over: Any) -> None:
    """Send to doors, in a process of its own, until so many are sent to each or it is `over`."""

    async def work(door: str, port: int, messages: int, sent: Any, number: int) -> None:
        choice = random.Random(f"{seed} {door} {number}")
        while sent.value < messages and not over.is_set():
            try:
                sent.value += await _SENDERS[door](choice, port)
            except (OSError, TimeoutError, asyncio.TimeoutError):
                sent.value += 1
                await asyncio.sleep(_BREATH_S)

    async def work_together() -> None:
        workers = [work(*door, number) for door in doors for number in range(CONNECTIONS)]
        await asyncio.gather(*workers)

    asyncio.run(work_together())


async def _websocket(choice: random.Random, port: int) -> int:
    """Open a websocket, send frames until it is closed; returns how many."""
    reader, writer = await _connected(choice, port)
    sent = 1
    try:
        foreign = choice.random() < 0.25
        origin = "Origin: https://evil.example\r\n" if foreign else ""
        path = choice.choice(("", "ws", "v1/x"))
        writer.write(HANDSHAKE.format(path=f"/{path}", more=origin).encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE_S)
        if b" 101 " not in answer:
            return sent
        reading = asyncio.create_task(_drain(reader))
        for _ in range(FRAMES // _TOGETHER):
            writer.write(b"".join(websocket_frame(choice) for _ in range(_TOGETHER)))
            await asyncio.wait_for(writer.drain(), _PATIENCE_S)
            if reading.done():
                break
            sent += _TOGETHER
        reading.cancel()
    except asyncio.IncompleteReadError:
        pass
    finally:
        await _close(choice, writer)
    return sent


async def _requests(choice: random.Random, port: int, make: Callable[..., bytes]) -> int:
    """Send requests on one connection; returns how many were answered, one at the least."""
    reader, writer = await _connected(choice, port)
    answered = 0
    try:
        count = choice.randrange(1, _REQUESTS)
        writer.write(b"".join(make(choice, f"127.0.0.1:{port}") for _ in range(count)))
        if choice.random() > _RESETS:
            while answered < count:
                answer = await asyncio.wait_for(reader.read(1 << 16), _PATIENCE_S)
                if not answer:
                    break
                answered += answer.count(b"HTTP/1.1 ")
    finally:
        await _close(choice, writer)
    return max(answered, 1)


async def _grpc(choice: random.Random, port: int) -> int:
    """Call methods on one channel, some together; returns how many calls."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        methods = ("ModelInfer", "ModelConfig", "RepositoryModelUnload", "LogSettings", "x")

        async def call() -> None:
            path = f"/inference.GRPCInferenceService/{choice.choice(methods)}"
            with contextlib.suppress(grpc.RpcError):
                await channel.unary_unary(path)(grpc_message(choice), timeout=_PATIENCE_S)

        for _ in range(_CALLS // 4):
            await asyncio.gather(*(call() for _ in range(4)))
    return _CALLS


async def _connected(
    choice: random.Random, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    opening = asyncio.open_connection("127.0.0.1", port, local_addr=choice.choice(ATTACKERS))
    return await asyncio.wait_for(opening, _PATIENCE_S)


async def _close(choice: random.Random, writer: asyncio.StreamWriter) -> None:
    if choice.random() < _RESETS:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        writer.transport.abort()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _drain(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(1 << 16):
            pass


_SENDERS: dict[str, Callable[[random.Random, int], Coroutine[Any, Any, int]]] = {
    "websocket": _websocket,
    "http": partial(_requests, make=http_request),
    "kserve": partial(_requests, make=kserve_request),
    "metrics": partial(_requests, make=kserve_request),
    "grpc": _grpc,
}
