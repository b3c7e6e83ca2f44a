"""4,600 sequences that nobody ends or goes on with, beside utterances of people.

pytest -m soak -s tests/soak/test_abandoned.py
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc.aio
from tritonclient.utils import InferenceServerException

from asr_gateway.shared.settings import GatewaySettings
from tests.doors.test_restarts import KINDS_SERVED, heard
from tests.gateway.gateways import RunningGateway, recognise, spoken_pcm
from tests.serve_command import serving
from tests.serving import EMBEDDED, install_models

pytestmark = pytest.mark.soak

ABANDONED = 4_600
TOGETHER = 32
LEAST_IDLE_S = 10.0  # what `asr_core.sequences` lets everybody have
UTTERANCES = 13
AUDIO = spoken_pcm(1)


async def abandon(url: str, count: int) -> int:
    """Begin so many sequences through the door; returns how many had no room."""
    samples = np.zeros((1, 3200), np.float32)
    tensors = []
    for name, array in (("WAV", samples), ("WAV_LENS", np.array([[3200]], np.int32))):
        kind = "FP32" if name == "WAV" else "INT32"
        tensors.append(tritonclient.grpc.InferInput(name, list(array.shape), kind))
        tensors[-1].set_data_from_numpy(array)
    refused = 0
    places = asyncio.Semaphore(TOGETHER)
    async with tritonclient.grpc.aio.InferenceServerClient(url.partition("://")[2]) as client:

        async def one() -> None:
            nonlocal refused
            async with places:
                try:
                    await client.infer(
                        "streaming_paraformer",
                        tensors,
                        sequence_id=secrets.randbits(62) + 1,
                        sequence_start=True,
                    )
                except InferenceServerException:
                    refused += 1

        await asyncio.gather(*(one() for _ in range(count)))
    return refused


def test_people_beside_abandoned_sequences(tmp_path):
    repositories = install_models(tmp_path, {name: EMBEDDED[name] for name in KINDS_SERVED})
    with serving(repositories, tmp_path / "server.log", gateway=True) as server:
        gateway = RunningGateway(f"127.0.0.1:{server.gateway_port}", GatewaySettings())

        def say() -> tuple[object, float]:
            begun_s = time.monotonic()
            received = asyncio.run(recognise(gateway, AUDIO, mode="2pass"))
            errors = [reply["error"] for reply in received if "error" in reply]
            return errors or heard(received), time.monotonic() - begun_s

        expected, _ = say()
        _, alone_s = say()
        refused: list[int] = []
        flood = threading.Thread(
            target=lambda: refused.append(asyncio.run(abandon(server.grpc_url, ABANDONED)))
        )
        begun_s = time.monotonic()
        flood.start()
        beside = []
        while flood.is_alive():
            beside.append(say())
        flood_s = time.monotonic() - begun_s
        time.sleep(LEAST_IDLE_S)
        behind = [say() for _ in range(UTTERANCES)]
    told = [got for got, _ in beside if got != expected]
    print(
        f"\n{ABANDONED} abandoned in {flood_s:.0f} s, {refused[0]} had no room; alone "
        f"{alone_s:.1f} s; beside: {len(beside)} utterances, {len(told)} told {told[:3]}, slowest "
        f"{max(took_s for _, took_s in beside):.1f} s; behind: slowest "
        f"{max(took_s for _, took_s in behind):.1f} s"
    )
    assert [got for got, _ in behind] == [expected] * UTTERANCES
    assert max(took_s for _, took_s in behind) < alone_s + 5
    assert all("live sessions are open" in str(got) for got in told)
