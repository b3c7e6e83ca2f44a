"""A Triton that stands still: what its clients go on sending waits with them."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

import grpc
import psutil
from tritonclient.grpc import service_pb2

from asr_server.run import held_ports
from asr_server.sockets import GRPC_SOCKET

STREAMS, MESSAGE_BYTES, MESSAGES = 12, 4 << 20, 40
MAX_GROWTH = 5 * STREAMS * MESSAGE_BYTES  # a message of each, as it passes from hand to hand
STILL_S = 5.0  # since nothing more was taken
METHOD = "/inference.GRPCInferenceService/ModelStreamInfer"


class Still(grpc.GenericRpcHandler):
    """Takes every stream, and reads nothing."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def wait(_requests, _context):
            await asyncio.sleep(3600)
            yield b""

        return grpc.stream_stream_rpc_method_handler(wait)


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
        async for _ in channel.stream_stream(METHOD)(messages()):
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


def test_the_grpc_door_keeps_a_message_of_each_stream(tmp_path):
    with held_ports(1) as (port,):
        pass
    words = ["grpc", "--sockets", str(tmp_path), f"--address=127.0.0.1:{port}"]

    async def run() -> tuple[list[int], int]:
        triton = grpc.aio.server(handlers=[Still()])
        triton.add_insecure_port(f"unix:{tmp_path / GRPC_SOCKET}")
        await triton.start()
        process = subprocess.Popen([sys.executable, "-m", "asr_server.doors", *words])
        try:
            return await flood(psutil.Process(process.pid), port)
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(asyncio.CancelledError):
                await triton.stop(0)

    sent, growth = asyncio.run(run())
    assert max(sent) < MESSAGES / 4
    assert growth < MAX_GROWTH, f"{growth / 1e6:.0f} MB"
