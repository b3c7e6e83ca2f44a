"""Clients that are closed, dropped or interrupted: every call ends, and nothing is left."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from asr_client import (
    AsrError,
    AsyncClient,
    Client,
    ClientClosed,
)
from tests.client import misbehaving
from tests.client.ending import LONG_S, SLACK_S, WAV, error_of


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_closing_ends_the_calls_of_other_threads(scheme):
    with misbehaving.tcp_server(misbehaving.silent) as port:
        client = Client(f"{scheme}://127.0.0.1:{port}", timeout_s=LONG_S)
        # gRPC gives up a connection that stays silent only later; closing must not wait for it.
        threading.Timer(0.3, client.close).start()
        error = error_of(lambda: client.transcribe(WAV, sample_rate=16000))
        assert type(error) is ClientClosed
        assert type(error_of(lambda: client.transcribe(WAV, sample_rate=16000))) is ClientClosed
        assert client.is_ready() is False
        client.close()


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_cancelling_an_awaited_call_gives_it_up(scheme):
    async def run(port: int) -> float:
        async with AsyncClient(f"{scheme}://127.0.0.1:{port}", timeout_s=LONG_S) as client:
            task = asyncio.create_task(client.transcribe(WAV, sample_rate=16000))
            await asyncio.sleep(0.3)
            start = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return time.monotonic() - start

    with misbehaving.tcp_server(misbehaving.silent) as port:
        assert asyncio.run(run(port)) < SLACK_S


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_dropped_client_leaves_no_thread(scheme):
    def threads() -> int:
        return sum(thread.name == "asr-client" for thread in threading.enumerate())

    before = threads()
    client = Client(f"{scheme}://127.0.0.1:1")
    assert threads() == before + 1
    del client
    deadline = time.monotonic() + SLACK_S
    while threads() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threads() == before


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_closing_ends_every_call_however_late_it_began(scheme):
    """Calls of many threads, begun before, while and after the client is closed."""
    with misbehaving.tcp_server(misbehaving.silent) as port:
        for _ in range(5):
            client = Client(f"{scheme}://127.0.0.1:{port}", timeout_s=LONG_S)
            ended: list[type[BaseException]] = []

            def call_on(client=client, ended=ended) -> None:
                while True:
                    try:
                        client.models()
                    except AsrError as error:
                        ended.append(type(error))
                        return

            threads = [threading.Thread(target=call_on, daemon=True) for _ in range(8)]
            for number, thread in enumerate(threads):
                thread.start()
                if number == 4:
                    threading.Thread(target=client.close).start()
            for thread in threads:
                thread.join(SLACK_S)
            assert ended == [ClientClosed] * 8


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_closing_ends_waiting_for_a_server(scheme):
    client = Client(f"{scheme}://127.0.0.1:{misbehaving.refusing_port()}")
    threading.Timer(0.3, client.close).start()
    assert type(error_of(lambda: client.wait_ready(LONG_S))) is ClientClosed


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_many_looks_at_its_items_and_reports_in_the_thread_of_the_caller(scheme):
    seen: list[threading.Thread] = []

    def items():
        for _ in range(5):
            seen.append(threading.current_thread())
            yield WAV

    with Client(f"{scheme}://127.0.0.1:{misbehaving.refusing_port()}") as client:
        outcomes = client.transcribe_many(
            items(), sample_rate=16000, on_result=lambda _: seen.append(threading.current_thread())
        )
    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3, 4]
    assert seen == [threading.current_thread()] * 10


@pytest.mark.parametrize("method", ["transcribe", "transcribe_many"])
@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_ctrl_c_gives_the_request_up(scheme, method):
    """The waiting thread gets it at once, and the request does not run on."""
    arrived, left = threading.Event(), threading.Event()

    def serve(connection, ended) -> None:
        if scheme == "http":
            misbehaving.read_http_request(connection)
        arrived.set()
        misbehaving.silent(connection, ended)
        if not ended.is_set():  # the client has hung up
            left.set()

    def interrupt() -> None:
        arrived.wait(SLACK_S)
        time.sleep(0.2)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with misbehaving.tcp_server(serve) as port:
        client = Client(f"{scheme}://127.0.0.1:{port}", timeout_s=LONG_S)
        threading.Thread(target=interrupt, daemon=True).start()
        audio = [WAV] if method == "transcribe_many" else WAV
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            getattr(client, method)(audio, sample_rate=16000)
        assert time.monotonic() - start < SLACK_S
        if scheme == "http":  # a request that is given up takes its connection along
            assert left.wait(SLACK_S)
        client.close()
