"""The SDK against a real tritonserver that fails on demand (no recognition model needed)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from asr_client import (
    AsyncClient,
    Client,
    ClientClosed,
    ModelNotFound,
    ProtocolError,
    RequestRejected,
    RequestTimeout,
    ServerError,
    ServerNotReady,
)
from asr_server.run import ServerFlags, TritonServer
from tests.client.toy_repository import SLOW_S, TROUBLE, write_repository
from tests.serving import READY_TIMEOUT_S, running


@pytest.fixture(scope="module")
def toy_server(tmp_path_factory):
    work = tmp_path_factory.mktemp("toy")
    repository = write_repository(work / "repository")
    flags = ServerFlags(exit_timeout_s=3)
    with running(TritonServer([repository], log=work / "server.log", flags=flags)) as server:
        yield server


@pytest.fixture(params=["grpc", "http"])
def url(request, toy_server) -> str:
    address = toy_server.grpc_url if request.param == "grpc" else toy_server.http_url
    return f"{request.param}://{address}"


def audio(samples: int) -> np.ndarray:
    return np.zeros(samples, np.float32)


def on_both(url: str, method: str, *arguments, **options):
    """Call the synchronous and the asynchronous client; yields a thunk for each."""

    async def run():
        async with AsyncClient(url) as client:
            return await getattr(client, method)(*arguments, **options)

    def sync():
        with Client(url) as client:
            return getattr(client, method)(*arguments, **options)

    return [sync, lambda: asyncio.run(run())]


def transcribe_on_both(url: str, samples: int, **options):
    options = {"model": "toy", "sample_rate": 16000, **options}
    return on_both(url, "transcribe", audio(samples), **options)


def test_a_model_of_any_name_is_used_by_its_metadata(url):
    for call in transcribe_on_both(url, 1234):
        transcript = call()
        assert transcript.text == "1234"
        assert transcript.model == "toy"
        assert transcript.tokens == ["1", "2", "3", "4"]
        assert transcript.timestamps_ms == [(0, 60), (60, 120), (120, 180), (180, 240)]
        assert transcript.confidence == [0.5] * 4
        assert (transcript.language, transcript.event) == ("zh", "Speech")


def test_an_empty_answer(url):
    for call in transcribe_on_both(url, 7):
        transcript = call()
        assert (transcript.text, transcript.tokens, transcript.timestamps_ms) == ("", [], [])


def test_rows_of_one_request(url):
    rows = [audio(n) for n in (10, 7, 3000)]
    for call in on_both(url, "transcribe_batch", rows, model="toy", sample_rate=16000):
        transcripts = call()
        assert [t.text for t in transcripts] == ["10", "", "3000"]
        assert [len(t.timestamps_ms) for t in transcripts] == [2, 0, 4]
        assert [t.duration_s for t in transcripts] == [n / 16000 for n in (10, 7, 3000)]


def test_many_come_back_in_order_and_each_as_soon_as_it_is_there(url):
    lengths = list(range(100, 160))
    for options in ({"concurrency": 1}, {"concurrency": 16}):
        seen: list[int] = []
        calls = on_both(
            url,
            "transcribe_many",
            [audio(n) for n in lengths],
            model="toy",
            sample_rate=16000,
            on_result=lambda outcome: seen.append(outcome.index),  # noqa: B023
            **options,
        )
        for call in calls:
            outcomes = call()
            assert [int(outcome.get().text) for outcome in outcomes] == lengths
            assert sorted(seen) == list(range(60))
            seen.clear()


def test_long_audio_passes_the_default_message_limit(url):
    samples = 16000 * 300  # 19 MB; gRPC stops at 4 MB unless told otherwise
    for call in transcribe_on_both(url, samples):
        assert call().text == str(samples)


def test_one_client_serves_many_threads(url):
    results: dict[int, str] = {}

    def work(first: int) -> None:
        for samples in range(first, first + 10):
            transcript = client.transcribe(audio(samples), model="toy", sample_rate=16000)
            results[samples] = transcript.text

    with Client(url) as client:
        threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(1, 13)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 120
    assert all(text == str(samples) for samples, text in results.items())


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        ("internal", ServerError, "no luck"),
        ("invalid", RequestRejected, "expected 1; got 4"),
        ("raise", ServerError, "boom"),
        ("busy", ServerNotReady, "too many sessions"),
    ],
)
def test_what_a_model_reports(url, trouble, kind, message):
    for call in transcribe_on_both(url, TROUBLE[trouble], language="nospeech"):
        with pytest.raises(ServerError if kind is ServerError else kind, match=message) as caught:
            call()
        assert type(caught.value) is kind
        assert message in caught.value.server_message


def test_what_triton_refuses(url):
    rows = [audio(9)] * 5
    for call in on_both(url, "transcribe_batch", rows, model="toy", sample_rate=16000):
        with pytest.raises(RequestRejected, match="batch-size must be <= 4"):
            call()
    for model in ("nothing", "sensevoice"):
        for call in transcribe_on_both(url, 9, model=model):
            with pytest.raises(ModelNotFound, match=f"'{model}' is not found"):
                call()
    for call in transcribe_on_both(url, 9, model="identity"):
        with pytest.raises(ProtocolError, match="expected the inputs WAV, WAV_LENS"):
            call()


def test_the_timeout_ends_a_slow_request(url):
    options = {"language": "nospeech", "timeout_s": 0.5}
    for call in transcribe_on_both(url, TROUBLE["slow"], **options):
        start = time.monotonic()
        with pytest.raises(RequestTimeout, match=r"no answer within 0\.\d+ s"):
            call()
        assert time.monotonic() - start < SLOW_S


def test_closing_ends_a_request(url):
    client = Client(url)
    threading.Timer(0.5, client.close).start()
    start = time.monotonic()
    with pytest.raises(ClientClosed):
        client.transcribe(
            audio(TROUBLE["slow"]), model="toy", language="nospeech", sample_rate=16000
        )
    assert time.monotonic() - start < SLOW_S

    async def run() -> None:
        client = AsyncClient(url)
        call = client.transcribe(
            audio(TROUBLE["slow"]), model="toy", language="nospeech", sample_rate=16000
        )
        task = asyncio.create_task(call)
        await asyncio.sleep(0.5)
        await client.close()
        with pytest.raises(ClientClosed):
            await task

    asyncio.run(run())


def test_readiness_and_models(url):
    for call in on_both(url, "is_ready", "toy"):
        assert call() is True
    for call in on_both(url, "is_ready", "nothing"):
        assert call() is False
    for call in on_both(url, "models"):
        assert [model.name for model in call()] == ["identity", "toy", "toy_core"]
    for call in on_both(url, "wait_ready", READY_TIMEOUT_S, model="toy"):
        call()
    for call in on_both(url, "wait_ready", 0.5, model="nothing"):
        with pytest.raises(ServerNotReady, match="'nothing'"):
            call()


def test_waiting_for_a_server_that_is_starting_and_losing_it(tmp_path):
    """The client is there first; later the server dies and the client says so at once."""
    repository = write_repository(tmp_path / "repository")
    flags = ServerFlags(exit_timeout_s=1)
    with TritonServer([repository], log=tmp_path / "log", flags=flags) as server:
        clients = [Client(f"grpc://{server.grpc_url}"), Client(f"http://{server.http_url}")]
        for client in clients:
            client.wait_ready(READY_TIMEOUT_S, model="toy")
            client.transcribe(audio(9), model="toy", sample_rate=16000)

    for client in clients:
        start = time.monotonic()
        with pytest.raises(ConnectionError):
            client.transcribe(audio(9), model="toy", sample_rate=16000)
        assert time.monotonic() - start < 30  # and not the client's timeout
        assert client.is_ready() is False
        client.close()


def test_a_dead_model_process_is_reported(tmp_path):
    repository = write_repository(tmp_path / "repository")
    flags = ServerFlags(exit_timeout_s=1)
    with running(TritonServer([repository], log=tmp_path / "log", flags=flags)) as server:
        for url in (f"grpc://{server.grpc_url}", f"http://{server.http_url}"):
            crash = audio(TROUBLE["crash"])
            dead = pytest.raises(ServerError, match=r"is not healthy.*restart the server")
            with Client(url) as client, dead:
                client.transcribe(crash, model="toy", language="nospeech", sample_rate=16000)


_FORKING = """
import os, signal, sys
from asr_client import Client

url = sys.argv[1]
with Client(url) as client:
    client.check_ready(timeout_s=60)
kept = Client(url)
kept.check_ready(timeout_s=60)
child = os.fork()
if child == 0:
    signal.alarm(100)
    with Client(url) as client:
        client.check_ready(timeout_s=60)
    os._exit(0)
status = os.waitpid(child, 0)[1]
kept.check_ready(timeout_s=60)
kept.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_child_has_clients_of_its_own_whatever_its_parent_had(url):
    """The parent has closed one client, and has another open, when it forks."""
    command = [sys.executable, "-c", _FORKING, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
