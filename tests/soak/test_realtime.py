"""A hundred sessions of the Realtime API beside a hundred of `2pass`, for ten minutes.

pytest -m soak -s tests/soak/test_realtime.py
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

import psutil
import pytest

from asr_gateway.shared.settings import GatewaySettings
from asr_server.run import held_ports
from tests.gateway.gateways import RunningGateway
from tests.gateway.load import Load, run_load
from tests.gateway.realtime_load import run_realtime_load
from tests.serving import EMBEDDED, serve_models
from tests.soak.test_gateway import (
    DURATION_S,
    MAX_GROWTH_MB,
    MAX_SLOPE_MB,
    SESSIONS,
    MemoryWatch,
)
from tests.streams import wait_for_open_sessions

pytestmark = pytest.mark.soak


def test_a_hundred_of_each(tmp_path):
    """No error, and memory is flat once the pools are full.

    Triton and ONNX Runtime keep what the largest batch, and each of the most requests that were
    ever there at once, needed; how much of that is reached in the first minutes, and when, is
    chance, so that a difference of two moments says little. What tells pools from a leak is whether
    the second half still rises: its slope may be half of what `MAX_GROWTH_MB` comes to.
    """
    with serve_models(tmp_path / "models", EMBEDDED) as triton:
        with held_ports(1) as (port,):
            pass  # free from here on, and not given out again soon
        command = [sys.executable, "-m", "asr_gateway", "--triton", f"grpc://{triton.grpc_url}"]
        command += ["--port", str(port), "--max-sessions-per-client", str(4 * SESSIONS)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert process.stdout is not None and process.stdout.readline()
            gateway = RunningGateway(f"127.0.0.1:{port}", GatewaySettings(port=port))
            watch = MemoryWatch(gateway=process.pid, tritonserver=triton.pid)
            watch.start()
            try:
                realtime, funasr = asyncio.run(both(gateway))
                used = psutil.Process(process.pid).cpu_times()
            finally:
                memory = watch.stop()
        finally:
            process.terminate()
            process.wait()
        for name, load in (("realtime", realtime), ("2pass", funasr)):
            print(
                f"\n{name}: {SESSIONS} sessions, {DURATION_S:g} s, {load.sentences} sentences, "
                f"{load.partials} partial texts, {len(load.errors)} errors; a sentence behind its "
                f"end p50 {load.percentile(load.sentence_s, 50):.2f} s, "
                f"p95 {load.percentile(load.sentence_s, 95):.2f} s"
            )
        print(watch.report())
        session_ms = 1000 * (used.user + used.system) / (2 * SESSIONS * DURATION_S)
        print(f"the gateway: {session_ms:.1f} ms of processor time for a second of a session")
        assert realtime.errors == [] and funasr.errors == []
        for name, (second_quarter, last_quarter) in memory.items():
            assert last_quarter - second_quarter < MAX_GROWTH_MB[name], name
        assert watch.slope_mb("tritonserver") < MAX_SLOPE_MB
        for model in ("vad", "streaming_cif_search"):
            wait_for_open_sessions(triton, 0, model=model)


async def both(gateway: RunningGateway) -> tuple[Load, Load]:
    """Let all of them talk."""
    return await asyncio.gather(
        run_realtime_load(gateway, SESSIONS, DURATION_S), run_load(gateway, SESSIONS, DURATION_S)
    )
