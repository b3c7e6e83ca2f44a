"""Streams that are idle for too long: their state is freed, and who goes on is told."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tritonclient.utils import InferenceServerException

from asr_client import Client
from tests.recordings import cut
from tests.serving import serve_models
from tests.streaming_alone import ENDED, TINY, alone
from tests.streams import Stream, wait_for_open_sessions


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory):
    """Sessions may be idle for three seconds; the search does one batch at a time."""
    work = tmp_path_factory.mktemp("impatient")
    parameters = {"max_sequence_idle_microseconds": "3000000", "parallel_batches": "1"}
    with serve_models(work, {"paraformer-online": TINY}, parameters) as server:
        yield server


def test_a_session_that_idled_too_long_is_freed_and_told(impatient_server):
    streams = [Stream(impatient_server) for _ in range(3)]
    for stream in streams:
        stream.send(cut(1.0, start=1.0))
    wait_for_open_sessions(impatient_server, 0)
    for stream in streams:
        with pytest.raises(InferenceServerException, match=ENDED):
            stream.send(cut(1.0, start=2.0), end=True)


def test_a_session_of_the_sdk_may_pause_beyond_the_idle_time(impatient_server, monkeypatch):
    monkeypatch.setattr("asr_client.aio.upkeep.KEEP_ALIVE_S", 0.5)
    samples = cut(2.0, start=1.0)
    with Client(f"grpc://{impatient_server.grpc_url}") as client, client.stream() as session:
        session.send(samples[:16000])
        time.sleep(7)
        session.send(samples[16000:])
        assert session.finish().text == alone(samples)


def test_sessions_leave_nothing_behind(impatient_server):
    """500 short sessions, a third of them abandoned: all state is freed after the idle time."""
    samples = cut(0.9, start=5.0)

    def live(index: int) -> None:
        stream = Stream(impatient_server)
        if index % 3 == 0:
            stream.send(samples[:3000])
        else:
            stream.send(samples, end=True)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(live, range(500)))
    wait_for_open_sessions(impatient_server, 0)
    assert Stream(impatient_server).send(samples, end=True)["TEXT"][0, 0].decode() == alone(samples)
