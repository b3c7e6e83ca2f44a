"""A Triton that stands still: what its clients go on sending waits with them."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import psutil
from tritonclient.grpc import service_pb2

from asr_server.doors.body import MAX_WAITING_BYTES
from asr_server.run import held_ports
from asr_server.sockets import GRPC_SOCKET

STREAMS, MESSAGE_BYTES, MESSAGES = 12, 4 << 20, 40
CALLS, CONNECTIONS = 160, 8  # each of a message
UNDER_WAY = MAX_WAITING_BYTES // (MESSAGE_BYTES + 1024)
MAX_GROWTH = 5 * STREAMS * MESSAGE_BYTES  # a message of each, as it passes from hand to hand
MAX_GROWTH_BY_CALLS = 4 * MAX_WAITING_BYTES  # those under way and as many more, twice
STILL_S = 5.0  # since nothing more was taken
SERVICE = "/inference.GRPCInferenceService/"
STREAM, UNARY = f"{SERVICE}ModelStreamInfer", f"{SERVICE}ModelInfer"


class Still(grpc.GenericRpcHandler):
    """Takes every call, and reads nothing before it goes on; then it answers those of a message."""

    def __init__(self) -> None:
        self.going = asyncio.Event()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def wait(_requests, _context):
            await asyncio.sleep(3600)
            yield b""

        async def answer(requests, _context):
            await self.going.wait()
            return str([len(request) async for request in requests]).encode()

        if details.method == STREAM:
            return grpc.stream_stream_rpc_method_handler(wait)
        return grpc.stream_unary_rpc_method_handler(answer)


def message() -> bytes:
    request = service_pb2.ModelInferRequest(model_name="vad")
    tensor = request.inputs.add(name="WAV", datatype="FP32")
    tensor.shape.extend([1, MESSAGE_BYTES // 4])
    request.raw_input_contents.append(bytes(MESSAGE_BYTES))
    return request.SerializeToString()


async def send(port: int, data: bytes, sent: list[int], index: int) -> None:
    """Send as long as it is taken."""

    async def messages():
        for _ in range(MESSAGES):
            yield data
            sent[index] += 1

    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        async for _ in channel.stream_stream(STREAM)(messages()):
            raise AssertionError("expected no answer")


async def flood(door: psutil.Process, port: int) -> tuple[list[int], int]:
    """How many messages of each stream were taken, and by how many bytes the door grew."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.wait_for(channel.channel_ready(), 60)
    before = door.memory_info().rss
    sent, data = [0] * STREAMS, message()
    sending = [asyncio.create_task(send(port, data, sent, index)) for index in range(STREAMS)]
    last = [-1]
    while last != sent:
        last = [*sent]
        await asyncio.sleep(STILL_S)
    growth = door.memory_info().rss - before
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)
    return sent, growth


@asynccontextmanager
async def door_of(still: Still, folder: Path) -> AsyncIterator[tuple[psutil.Process, int]]:
    """The gRPC door before such a Triton, and its port."""
    with held_ports(1) as (port,):
        pass
    words = ["grpc", "--sockets", str(folder), f"--address=127.0.0.1:{port}"]
    triton = grpc.aio.server(handlers=[still], options=[("grpc.max_receive_message_length", -1)])
    triton.add_insecure_port(f"unix:{folder / GRPC_SOCKET}")
    await triton.start()
    process = subprocess.Popen([sys.executable, "-m", "asr_server.doors", *words])
    try:
        yield psutil.Process(process.pid), port
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(asyncio.CancelledError):
            await triton.stop(0)


def test_the_grpc_door_keeps_a_message_of_each_stream(tmp_path):
    async def run() -> tuple[list[int], int]:
        async with door_of(Still(), tmp_path) as (door, port):
            return await flood(door, port)

    sent, growth = asyncio.run(run())
    assert max(sent) < MESSAGES / 4
    assert growth < MAX_GROWTH, f"{growth / 1e6:.0f} MB"


async def call_at_once(still: Still, door: psutil.Process, port: int) -> tuple[list[object], int]:
    """What became of many calls, some of them when it goes on; by how many bytes the door grew."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    data, calls = message(), []
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
            )
            for _ in range(CONNECTIONS)
        ]
        await asyncio.wait_for(channels[0].channel_ready(), 60)
        before = door.memory_info().rss
        for index in range(CALLS):
            call = channels[index % CONNECTIONS].unary_unary(UNARY)(data, wait_for_ready=True)
            calls.append(asyncio.ensure_future(call))
            await asyncio.sleep(0.02)
        told: list[bool] = []
        most = 0
        while told.count(False) != UNDER_WAY:
            await asyncio.sleep(0.5)
            most = max(most, door.memory_info().rss - before)
            told = [each.done() for each in calls]
        still.going.set()
        return await asyncio.gather(*calls, return_exceptions=True), most


def test_the_grpc_door_keeps_so_many_calls_and_tells_the_others(tmp_path):
    async def run() -> tuple[list[object], int]:
        still = Still()
        async with door_of(still, tmp_path) as (door, port):
            return await asyncio.wait_for(call_at_once(still, door, port), 120)

    outcomes, growth = asyncio.run(run())
    answered = [each for each in outcomes if isinstance(each, bytes)]
    told = [each for each in outcomes if isinstance(each, grpc.aio.AioRpcError)]
    assert answered == [f"[{len(message())}]".encode()] * UNDER_WAY
    assert len(told) == CALLS - UNDER_WAY
    for error in told:
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert "as many calls or bytes are under way" in str(error.details())
    assert growth < MAX_GROWTH_BY_CALLS, f"{growth / 1e6:.0f} MB"
