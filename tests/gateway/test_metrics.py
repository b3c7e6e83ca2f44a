"""Each documented metric is there and moves when something happens, and each is documented."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from urllib.request import urlopen

import numpy as np
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.utils import InferenceServerException

from asr_server.places import ROOT
from tests.client.misbehaving import refusing_port
from tests.gateway.gateways import (
    STARTED_S,
    begin,
    client_of,
    recognise,
    running_gateway,
    spoken_pcm,
    wait_for_no_session,
)
from tests.gateway.realtime_client import COMPLETED, realtime
from tests.gateway.test_http import post
from tests.serving import RawClient

PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (gauge|counter|histogram) \|", re.M)
SERVED_TOO = re.compile(r"process_|python_")
PCM_16 = {"type": "audio/pcm", "rate": 16000}


def documented(heading: str, until: str) -> dict[str, str]:
    """The metrics, with their types, of a part of the page."""
    return dict(ROW.findall(PAGE.partition(heading)[2].partition(until)[0]))


GATEWAYS = documented("## The gateway's metrics", "## Triton's")
TRITONS = documented("## Triton's metrics", "On a GPU also")


class Samples(dict[str, float]):
    """The sum of each metric's samples, by the name of its family as the page has it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.types: dict[str, str] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    continue
                # The parser gives every counter an end of `_total`, and Triton's have none.
                name = sample.name if f"# TYPE {sample.name} " in text else family.name
                counts = family.type != "histogram" or sample.name.endswith("_count")
                self[name] = self.get(name, 0.0) + sample.value * counts
                self.types[name] = family.type


def samples_of(url: str) -> Samples:
    with urlopen(url, timeout=60) as answer:
        return Samples(answer.read().decode())


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTED_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def everything(gateway) -> None:
    """One of each: live, a recording, OpenAI's two; and what goes wrong."""
    audio = spoken_pcm(1)
    await recognise(gateway, audio)
    await recognise(gateway, audio, mode="offline")
    async with realtime(gateway) as session:
        await session.configure(format=PCM_16)
        await session.append(audio, 32000)
        await session.until(COMPLETED)
    async with client_of(gateway) as socket:
        await socket.send("{")
        assert "error" in json.loads(await socket.recv())


@pytest.fixture(scope="module")
def exchange(gateway, triton, talk):
    """The pages of both before and after."""
    urls = (f"{gateway.http}/metrics", triton.metrics_url)
    before = [samples_of(url) for url in urls]
    asyncio.run(everything(gateway))
    assert post(gateway, talk).ok
    assert post(gateway, b"no audio").status_code == 400
    with pytest.raises(InferenceServerException, match="NaN"):
        RawClient(triton).recognise("sensevoice", [np.full(16000, np.nan, np.float32)])
    wait_for_no_session(gateway)
    return before, [samples_of(url) for url in urls]


def test_the_page_names_each_metric_of_the_gateway_and_no_other(exchange):
    _, (served, _) = exchange
    ours = {name: kind for name, kind in served.types.items() if not SERVED_TOO.match(name)}
    assert ours == GATEWAYS


def test_what_the_gateway_counts_moves(exchange):
    (before, _), (after, _) = exchange
    counted = [name for name, kind in GATEWAYS.items() if kind != "gauge"]
    assert [name for name in counted if after[name] <= before.get(name, 0.0)] == []


def test_what_triton_counts_moves(exchange):
    (_, before), (_, after) = exchange
    assert [name for name in TRITONS if name not in after] == []
    assert {name: after.types[name] for name in TRITONS} == TRITONS
    still = [name for name, kind in TRITONS.items() if kind == "counter"]
    assert [name for name in still if after[name] <= before[name]] == []


def test_errors_are_counted_by_door_and_kind(exchange, gateway):
    page = requests.get(f"{gateway.http}/metrics", timeout=60).text
    assert 'asr_gateway_errors_total{door="openai",kind="audio"}' in page
    assert 'asr_gateway_real_time_factor_count{mode="http"}' in page
    assert 'asr_gateway_real_time_factor_count{mode="offline"}' in page


def test_a_triton_that_is_left_out_is_named(triton_url):
    lost = f"grpc://127.0.0.1:{refusing_port()}"

    def up(gateway) -> dict[str, float]:
        page = requests.get(f"{gateway.http}/metrics", timeout=60).text
        (family,) = [
            each
            for each in text_string_to_metric_families(page)
            if each.name == "asr_gateway_triton_up"
        ]
        return {sample.labels["server"]: sample.value for sample in family.samples}

    with running_gateway(f"{triton_url},{lost}") as gateway:
        wait_until(lambda: up(gateway) == {triton_url: 1.0, lost: 0.0})
    with running_gateway(lost) as gateway:
        wait_until(lambda: up(gateway) == {lost: 0.0})


def test_gauges_follow_a_session(triton_url):
    with running_gateway(triton_url, max_sessions=3) as gateway:

        def gauge(name: str) -> float:
            return samples_of(f"{gateway.http}/metrics")[f"asr_gateway_{name}"]

        async def run() -> None:
            async with client_of(gateway) as socket:
                await socket.send(begin())
                await socket.send(bytes(3200))  # 100 ms, of 200 that are a request
                waits = lambda: gauge("waiting_audio_seconds") == pytest.approx(0.1)  # noqa: E731
                await asyncio.to_thread(wait_until, waits)
                assert await asyncio.to_thread(gauge, "open_sessions") == 1

        assert gauge("max_sessions") == 3
        asyncio.run(run())
        wait_for_no_session(gateway)
        wait_until(lambda: gauge("waiting_audio_seconds") == 0)
        assert gauge("open_sessions") == gauge("draining") == 0
        gateway.server.gateway.limits.draining = True
        assert gauge("draining") == 1


def test_a_refused_upload_is_counted(triton_url, talk):
    with running_gateway(triton_url, max_sessions=0) as gateway:
        assert post(gateway, talk).status_code == 503
        page = requests.get(f"{gateway.http}/metrics", timeout=60).text
        assert 'asr_gateway_refused_total{reason="sessions"} 1.0' in page
        assert "errors_total{" not in page
