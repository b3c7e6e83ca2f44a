"""What large messages took of memory, the gRPC door gives back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import grpc
import psutil
import pytest

from asr_server.run import held_ports

CALLS, MESSAGE_BYTES = 20, 8 << 20
HELD_MB = 60  # of more than 160 that the messages took
PATIENCE_S = 60


@pytest.fixture
def door(tmp_path):
    """A door without a Triton, and its port."""
    with held_ports(1) as (port,):
        pass
    words = ["grpc", "--sockets", str(tmp_path), f"--address=127.0.0.1:{port}"]
    process = subprocess.Popen([sys.executable, "-m", "asr_server.doors", *words])
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(PATIENCE_S)
    yield psutil.Process(process.pid), port
    process.kill()
    process.wait()


async def refused(port: int) -> grpc.StatusCode:
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(bytes(MESSAGE_BYTES), timeout=PATIENCE_S)
    return error.value.code()


async def many_refused(port: int) -> set[grpc.StatusCode]:
    return set(await asyncio.gather(*(refused(port) for _ in range(CALLS))))


def test_what_was_refused_is_given_back(door):
    process, port = door
    before = process.memory_info().rss
    assert asyncio.run(many_refused(port)) == {grpc.StatusCode.INVALID_ARGUMENT}
    deadline = time.monotonic() + PATIENCE_S
    while (held := process.memory_info().rss - before) > HELD_MB * 1e6:
        assert time.monotonic() < deadline, f"{held / 1e6:.0f} MB"
        time.sleep(0.5)
