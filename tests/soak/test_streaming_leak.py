"""Thousands of streams leave neither state nor memory behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.benchmark.server_statistics import memory_mb
from tests.recordings import cut
from tests.serving import RANDOM_MODELS, serve_models
from tests.streams import Stream, wait_for_open_sessions

pytestmark = pytest.mark.soak

MAX_GROWTH_MB = 30  # of all processes together; one leaked session of the tiny model takes 60 KB


def test_5000_sessions_a_third_of_them_abandoned(tmp_path):
    samples = cut(1.3, start=5.0)

    def live(index: int) -> str:
        stream = Stream(server)
        if index % 3 == 0:
            stream.send(samples[:11_000])
            return ""
        return stream.run(samples, piece=7000)

    parameters = {"max_sequence_idle_microseconds": "10000000", "max_sessions": "2000"}
    sources = {"paraformer-online": RANDOM_MODELS / "paraformer_online-tiny-seed0"}
    with serve_models(tmp_path, sources, parameters) as server, ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(live, range(1000)))) == 2  # nothing, and what each of them says
        wait_for_open_sessions(server, 0)
        before = sum(memory_mb(server.pid).values())
        assert len(set(pool.map(live, range(5000)))) == 2
        wait_for_open_sessions(server, 0)
        growth = sum(memory_mb(server.pid).values()) - before
    print(f"memory grew by {growth:.1f} MB")
    assert growth < MAX_GROWTH_MB
