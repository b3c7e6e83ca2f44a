"""Uploads while Triton stands still: no file is in memory as samples, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest

from asr_contract import SAMPLE_RATE
from asr_gateway.shared.settings import GatewaySettings
from asr_server.run import held_ports
from tests.gateway.gateways import RunningGateway, post, running_gateway, spoken_pcm, wav_of
from tests.gateway.test_metrics import wait_until

UPLOADS, PAUSE_S = 6, 600
MAX_GROWTH_MB = 100  # as samples each would take 39
UNDER_WAY_S, STILL_S = 0.5, 5.0
TOLD_S = 30.0
AUDIO = wav_of(spoken_pcm(2) + bytes(2 * SAMPLE_RATE * PAUSE_S) + spoken_pcm(2, seed=7))


@contextmanager
def stopped(triton) -> Iterator[None]:
    os.kill(triton.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(triton.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def process(triton_url) -> Iterator[tuple[RunningGateway, psutil.Process]]:
    """A gateway whose memory is its own."""
    with held_ports(1) as (port,):
        pass
    command = [sys.executable, "-m", "asr_gateway", "--triton", triton_url, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None and process.stdout.readline()
        gateway = RunningGateway(f"127.0.0.1:{port}", GatewaySettings(port=port))
        yield gateway, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def test_those_under_way_wait_in_bounded_memory_and_are_recognised_whole(triton, process):
    gateway, memory = process
    expected = post(gateway, AUDIO).json()["text"]
    before = memory.memory_info().rss
    with ThreadPoolExecutor(UPLOADS) as pool:
        begun = [pool.submit(post, gateway, AUDIO) for _ in range(UPLOADS)]
        time.sleep(UNDER_WAY_S)
        with stopped(triton):
            time.sleep(STILL_S)
            growth_mb = (memory.memory_info().rss - before) / 1e6
            assert not any(each.done() for each in begun)
        answers = [each.result().json()["text"] for each in begun]
    assert answers == [expected] * UPLOADS and expected
    assert growth_mb < MAX_GROWTH_MB, f"{growth_mb:.0f} MB"


def test_those_that_come_then_are_told_to_come_again(triton, process):
    gateway, memory = process
    before = memory.memory_info().rss
    with stopped(triton), ThreadPoolExecutor(UPLOADS) as pool:
        begun_s = time.monotonic()
        answers = [*pool.map(lambda _: post(gateway, AUDIO), range(UPLOADS))]
        took_s = time.monotonic() - begun_s
        growth_mb = (memory.memory_info().rss - before) / 1e6
    for answer in answers:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json()["error"]["code"] == "triton", answer.text
    assert took_s < TOLD_S
    assert growth_mb < MAX_GROWTH_MB, f"{growth_mb:.0f} MB"
    wait_until(lambda: post(gateway, AUDIO).ok)


def test_one_under_way_is_told_when_it_stands_still_for_too_long(triton, triton_url):
    with (
        running_gateway(triton_url, triton_timeout_s=2.0) as gateway,
        ThreadPoolExecutor(1) as pool,
    ):
        begun = pool.submit(post, gateway, AUDIO)
        time.sleep(UNDER_WAY_S)
        with stopped(triton):
            answer = begun.result()
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout"), answer.text
