"""A hundred live sessions for ten minutes, and FunASR's own client from a checkout.

FUNASR_DIR=~/FunASR pytest -m soak -s tests/soak/test_gateway.py
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from asr_contract import SAMPLE_RATE
from asr_gateway.shared.settings import GatewaySettings
from asr_server.run import held_ports
from lab.benchmark.server_statistics import memory_mb
from tests.funasr_checkout import funasr_file
from tests.gateway.gateways import RunningGateway, running_gateway, spoken_pcm
from tests.gateway.load import run_load
from tests.serving import EMBEDDED, serve_models
from tests.streams import wait_for_open_sessions

pytestmark = pytest.mark.soak

SAMPLE_S = 5.0
SESSIONS = int(os.environ.get("GATEWAY_SESSIONS", "100"))
DURATION_S = float(os.environ.get("GATEWAY_DURATION_S", "600"))
MAX_GROWTH_MB = {"gateway": 50, "tritonserver": 100}
"""From the second quarter of the time to the last. The server's pools of requests and of shared
memory grow with the most that ever waits, and stay."""
MAX_SLOPE_MB = 10
"""A minute, of Triton's processes together in the second half of ten minutes."""


@pytest.fixture(scope="module")
def triton(tmp_path_factory):
    with serve_models(tmp_path_factory.mktemp("gateway-soak"), EMBEDDED) as server:
        yield server


class MemoryWatch:
    """Samples the memory of processes and their children, in MB, from `start` until `stop`.

    Shared pages count once (PSS): Triton's Python backend keeps each former mapping of a region
    that has grown. What is in use goes up and down with the sentences under way; medians of many
    samples do not.
    """

    def __init__(self, **pids: int) -> None:
        self._pids = pids
        self._samples: dict[str, list[dict[str, float]]] = {name: [] for name in pids}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> dict[str, tuple[float, float]]:
        """For each process, the medians of the second and of the last quarter of the time."""
        self._stopped.set()
        self._thread.join()
        return {
            name: _medians([sum(sample.values()) for sample in samples])
            for name, samples in self._samples.items()
        }

    def slope_mb(self, name: str) -> float:
        """What a process gains in a minute of the second half: the median of all pairs' slopes.

        A step, as a pool makes when it grows, moves it little; what goes on growing does.
        """
        totals = np.array([sum(sample.values()) for sample in self._samples[name]])
        half = totals[len(totals) // 2 :]
        earlier, later = np.triu_indices(len(half), 1)
        slopes = (half[later] - half[earlier]) / (later - earlier)
        return float(np.median(slopes)) * 60 / SAMPLE_S

    def report(self) -> str:
        """Say the same, the totals minute by minute, and which children grew by 5 MB and more."""
        lines = []
        for name, (second, last) in self.stop().items():
            samples = self._samples[name]
            parts = {
                part: _medians([sample.get(part, 0.0) for sample in samples])
                for part in samples[-1]
            }
            grown = [
                f"{part} {before:.0f} to {after:.0f}"
                for part, (before, after) in parts.items()
                if after - before >= 5
            ]
            minutes = samples[:: round(60 / SAMPLE_S)]
            totals = " ".join(f"{sum(sample.values()):.0f}" for sample in minutes)
            lines.append(
                f"{name} {second:.0f} to {last:.0f} MB ({', '.join(grown) or 'flat'}), "
                f"{self.slope_mb(name):+.1f} a minute at last, by minute {totals}"
            )
        return "memory: " + "; ".join(lines)

    def _run(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            for name, pid in self._pids.items():
                self._samples[name].append(memory_mb(pid))


def _medians(samples: list[float]) -> tuple[float, float]:
    """Return the medians of the second and of the last quarter."""
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    return statistics.median(second), statistics.median(last)


def test_a_hundred_live_sessions(triton):
    """The gateway runs as a process of its own, so that its memory is what is measured."""
    with held_ports(1) as (port,):
        pass  # free from here on, and not given out again soon
    command = [sys.executable, "-m", "asr_gateway", "--triton", f"grpc://{triton.grpc_url}"]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline()
        gateway = RunningGateway(f"127.0.0.1:{port}", GatewaySettings(port=port))
        watch = MemoryWatch(gateway=process.pid, tritonserver=triton.pid)
        watch.start()
        try:
            load = asyncio.run(run_load(gateway, SESSIONS, DURATION_S))
        finally:
            memory = watch.stop()
    finally:
        process.terminate()
        process.wait()
    print(
        f"\n{SESSIONS} sessions, {DURATION_S:g} s, {load.sentences} sentences, "
        f"{len(load.errors)} errors; from the end of a word to its partial text "
        f"p50 {load.percentile(load.partial_s, 50):.2f} s, "
        f"p95 {load.percentile(load.partial_s, 95):.2f} s; of a sentence p95 "
        f"{load.percentile(load.sentence_s, 95):.2f} s; {watch.report()}"
    )
    assert load.errors == []
    for name, (second_quarter, last_quarter) in memory.items():
        assert last_quarter - second_quarter < MAX_GROWTH_MB[name], name
    for model in ("vad", "streaming_cif_search"):
        wait_for_open_sessions(triton, 0, model=model)


@pytest.mark.parametrize("mode", ["2pass", "online", "offline"])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_funasrs_python_client(triton, tmp_path, mode, suffix):
    soundfile.write(tmp_path / f"talk.{suffix}", np.frombuffer(spoken_pcm(2), "<i2"), SAMPLE_RATE)
    client = funasr_file("runtime", "python", "websocket", "funasr_wss_client.py")
    with running_gateway(f"grpc://{triton.grpc_url}") as gateway:
        host, port = gateway.address.split(":")
        arguments = ["--host", host, "--port", port, "--ssl", "0", "--mode", mode]
        done = subprocess.run(
            [sys.executable, client, *arguments, "--audio_in", tmp_path / f"talk.{suffix}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
    print(done.stdout)
    assert "closed normally" in done.stdout and "Exception" not in done.stdout
    assert re.search(r"^pid0_0: .*[\u4e00-\u9fff]", done.stdout, re.M)
