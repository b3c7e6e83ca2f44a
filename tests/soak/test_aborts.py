"""Triton itself ends when a model's process dies at a bad moment: it comes back, too.

`boost::interprocess::lock_exception` is thrown where a process died that held a lock of the memory
that it shares with Triton; nobody catches it, and the server aborts.

pytest -m soak -s tests/soak/test_aborts.py
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import numpy as np
import psutil
import pytest

from asr_client import AsrError, Client
from asr_server.run.supervision import STEADY_S
from tests.doors.test_restarts import KINDS_SERVED, wait_until_it_answers
from tests.gateway.gateways import spoken_pcm
from tests.serve_command import serving
from tests.serving import EMBEDDED, install_models

pytestmark = pytest.mark.soak

ROUNDS = int(os.environ.get("ABORT_ROUNDS", "15"))
CLIENTS = 8
AUDIO = np.frombuffer(spoken_pcm(1), "<i2").astype(np.float32) / 32768
VICTIMS = ("sensevoice_feature_extractor_0_0", "sensevoice_encoder_0_0", "sensevoice_scoring_0_0")


@pytest.fixture
def started(tmp_path):
    """A server, and how long its start took."""
    repositories = install_models(tmp_path, {name: EMBEDDED[name] for name in KINDS_SERVED})
    begun_s = time.monotonic()
    with serving(repositories, tmp_path / "server.log") as server:
        yield server, time.monotonic() - begun_s


def recognised(server) -> str:
    with Client(server.grpc_url, timeout_s=60) as client:
        return client.transcribe(AUDIO, sample_rate=16_000).raw_text


@pytest.mark.parametrize("after_s", [0.0, 0.3, 1.0])
def test_triton_aborts_while_a_model_is_loaded_anew(started, after_s):
    server, cold_s = started
    expected = recognised(server)
    triton = server.child("tritonserver")
    begun_s = time.monotonic()
    server.child("sensevoice_encoder_0_0").kill()
    time.sleep(after_s)
    triton.send_signal(signal.SIGABRT)
    wait_until_it_answers(server.grpc_url)
    took_s = time.monotonic() - begun_s
    print(f"back after {took_s:.1f} s, cold start {cold_s:.1f} s")
    assert recognised(server) == expected
    assert server.child("tritonserver").pid != triton.pid
    assert took_s < 1.2 * cold_s + after_s


def test_processes_that_die_in_the_middle_of_batches(started):
    server, cold_s = started
    expected = recognised(server)
    choice = random.Random(15)
    over, wrong, right, told = threading.Event(), [], [], []

    def use() -> None:
        while not over.is_set():
            try:
                got = recognised(server)
            except AsrError as error:
                told.append(str(error))
                time.sleep(0.2)
            else:
                (right if got == expected else wrong).append(got)

    threads = [threading.Thread(target=use) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    aborts, slowest_s = 0, 0.0
    try:
        for _ in range(ROUNDS):
            # `serve` gives up what dies again and again without a steady time between
            time.sleep(STEADY_S + choice.random())
            triton, begun_s = server.child("tritonserver").pid, time.monotonic()
            for victim in choice.sample(VICTIMS, choice.randrange(1, 3)):
                try:
                    server.child(victim).kill()
                except (LookupError, psutil.Error):
                    continue  # it is being started
            wait_until_it_answers(server.grpc_url)
            slowest_s = max(slowest_s, time.monotonic() - begun_s)
            aborts += server.child("tritonserver").pid != triton
    finally:
        over.set()
        for thread in threads:
            thread.join()
    print(
        f"{ROUNDS} rounds, {aborts} aborts of Triton, right {len(right)}, told {len(told)}, "
        f"wrong {len(wrong)}, slowest return {slowest_s:.1f} s, cold start {cold_s:.1f} s"
    )
    assert wrong == []
    assert right
    assert slowest_s < 1.2 * cold_s + 10  # and a request itself, beside the others
