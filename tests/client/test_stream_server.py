"""Streaming sessions against a real tritonserver with a model that keeps to the contract."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest
import soxr

from asr_client import (
    AsyncClient,
    AudioError,
    Client,
    ClientClosed,
    ConnectionFailed,
    ModelNotFound,
    ProtocolError,
    RequestTimeout,
    ServerError,
    SessionLimitReached,
    SessionLost,
)
from scripts.triton_server import ServerFlags, TritonServer
from tests.client import misbehaving
from tests.client.toy_streaming import (
    SESSION_LIMIT,
    TROUBLE,
    Received,
    Toy,
    letters,
    write_repository,
)
from tests.serving import READY_TIMEOUT_S

SECOND = 16_000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 60 * SECOND).astype(np.float32)


class InThreads:
    """Makes a synchronous client or session look asynchronous: every call in another thread."""

    def __init__(self, inner) -> None:
        self._inner = inner

    def __getattr__(self, name: str):
        value = getattr(self._inner, name)
        if name == "stream":
            return lambda **options: InThreads(value(**options))
        if name == "updates":
            return lambda: self._each(value())
        if not callable(value):
            return value

        async def call(*arguments, **options):
            return await asyncio.to_thread(value, *arguments, **options)

        return call

    async def _each(self, iterator):
        while (item := await asyncio.to_thread(next, iterator, None)) is not None:
            yield item

    async def __aenter__(self):
        await asyncio.to_thread(self._inner.__enter__)
        return self

    async def __aexit__(self, *error):
        await asyncio.to_thread(self._inner.__exit__, *error)


class Side:
    """One of the four ways to the server: a protocol, and a kind of client."""

    def __init__(self, name: str) -> None:
        self.scheme, _, kind = name.partition("-")
        self.asynchronous = kind == "async"

    def client(self, url: str, **options):
        if self.asynchronous:
            return AsyncClient(url, **options)
        return InThreads(Client(url, **options))

    @asynccontextmanager
    async def session(self, toy: Toy, **options):
        """An open session with the toy."""
        async with (
            self.client(toy.url(self.scheme)) as client,
            client.stream(model="toy_stream", **options) as session,
        ):
            yield session


@pytest.fixture(params=["grpc", "grpc-async", "http", "http-async"])
def side(request) -> Side:
    return Side(request.param)


def trouble(kind: str, samples: int = 160) -> np.ndarray:
    return np.full(samples, TROUBLE[kind], np.float32)


async def until(condition, timeout_s: float = 90) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.02)


async def ended(toy: Toy, sequence_id: int) -> None:
    """Wait until END has reached the model; closing does not wait for a slow machine."""
    await until(lambda: [e["end"] for e in toy.received.events(sequence_id)][-1:] == [True])


def test_the_text_grows_and_the_result_is_whole(side, toy):
    async def run() -> None:
        audio = NOISE[: 2 * SECOND + 7]
        async with side.session(toy, chunk_size=(0, 10, 5)) as session:
            texts = []
            for first in range(0, len(audio), 960):
                await session.send(audio[first : first + 960])
                texts.append(session.text)
            result = await session.finish()
            assert await session.finish() == result
        assert result.text == result.raw_text == letters(len(audio)) == "abcdefghijklmnopqrst."
        assert result.tokens == list(result.text)
        assert result.timestamps_ms == [(60 * i, 60 * i + 60) for i in range(21)]
        assert result.confidence == [0.5] * 21
        assert result.duration_s == len(audio) / SECOND
        assert result.model == "toy_stream"
        assert all(result.text.startswith(text) for text in texts)
        assert session.acknowledged_s == session.sent_s == len(audio) / SECOND
        assert (session.final_text, session.partial_text) == (result.text, "")

        np.testing.assert_array_equal(toy.received.audio(session.sequence_id), audio)
        events = toy.received.events(session.sequence_id)
        assert [event["start"] for event in events] == [True] + [False] * (len(events) - 1)
        assert [event["end"] for event in events] == [False] * (len(events) - 1) + [True]
        assert all(event["length"] == [[event["samples"]]] for event in events)
        assert events[0]["parameters"]["chunk_size"] == "0,10,5"
        assert all("chunk_size" not in event["parameters"] for event in events[1:])

    asyncio.run(run())


@pytest.mark.parametrize("sizes", [[0], [1], [1599, 1], [0, 1600, 0], [100_000], [7] * 50])
def test_any_cut_gives_the_same(side, toy, sizes):
    async def run() -> None:
        async with side.session(toy) as session:
            position = 0
            for size in sizes:
                await session.send(NOISE[position : position + size])
                position += size
            assert (await session.finish()).text == letters(position)
        np.testing.assert_array_equal(toy.received.audio(session.sequence_id), NOISE[:position])

    asyncio.run(run())


def test_updates_beside_the_sender_tell_each_change_once(side, toy):
    async def run() -> None:
        seen = []

        async def read() -> None:
            async for update in session.updates():
                seen.append(update)

        async with side.session(toy) as session:
            reader = asyncio.create_task(read())
            for first in range(0, 5 * SECOND, 1000):
                await session.send(NOISE[first : first + 1000])
                if first == 2 * SECOND:
                    await until(lambda: seen)
            result = await session.finish()
            await reader
            late = [update async for update in session.updates()]
        assert len(seen) > 1
        assert "".join(update.new_text for update in seen) == result.text
        assert [token for update in seen for token in update.tokens] == result.tokens
        assert [time for update in seen for time in update.timestamps_ms] == result.timestamps_ms
        assert [update.is_final for update in seen] == [False] * (len(seen) - 1) + [True]
        for update in seen:
            assert update.text == update.final_text + update.partial_text
            assert update.is_final or len(update.partial_text) <= 1
        # Who reads late gets all of it at once.
        assert [(update.new_text, update.tokens) for update in late] == [
            (result.text, result.tokens)
        ]

    asyncio.run(run())


def test_other_rates_and_bytes_are_resampled_as_one_stream(side, toy):
    async def run() -> None:
        frames = (NOISE[: 3 * 48_000 + 11] * 32767).astype(np.int16)
        async with side.session(toy) as session:
            for first in range(0, len(frames), 1441):
                piece = frames[first : first + 1441]
                audio = piece.tobytes() if first % 2 else piece
                await session.send(audio, sample_rate=48_000)
            await session.finish()
        whole = soxr.resample((frames / 32768).astype(np.float32), 48_000, SECOND)
        received = toy.received.audio(session.sequence_id)
        assert abs(len(received) - len(whole)) <= 1
        count = min(len(received), len(whole))
        np.testing.assert_allclose(received[:count], whole[:count], atol=1e-5)

    asyncio.run(run())


def test_a_server_that_stands_still_makes_send_wait_and_nothing_pile_up(side, toy):
    async def run() -> None:
        toy.received.hold()
        async with side.session(toy) as session:
            await session.send(trouble("hold"))
            sending = asyncio.create_task(session.send(np.tile(NOISE, 3)))
            await until(lambda: session.sent_s > 5)
            standing = -1.0
            while session.sent_s != standing:  # until it has taken all that it takes
                standing = session.sent_s
                await asyncio.sleep(0.3)
            assert not sending.done()
            # 8 requests of 5 s over gRPC, one over HTTP, and 5 s that wait behind them.
            assert session.sent_s <= (51 if side.scheme == "grpc" else 16)
            assert session.acknowledged_s == 0
            toy.received.release()
            await sending
            result = await session.finish()
        assert result.text == letters(160 + 180 * SECOND)
        assert len(toy.received.audio(session.sequence_id)) == 160 + 180 * SECOND

    asyncio.run(run())


def test_requests_are_pipelined_over_grpc_and_alone_over_http(side, toy):
    """While the first is held, gRPC has the others on the way; HTTP joins what waits."""

    async def run() -> None:
        toy.received.hold()
        async with side.session(toy) as session:
            await session.send(trouble("hold"))
            await until(lambda: len(toy.received.events(session.sequence_id)) == 2)
            for _ in range(6):
                await session.send(NOISE[:1600])
            toy.received.release()
            await session.finish()
        sizes = [event["samples"] for event in toy.received.events(session.sequence_id)]
        if side.scheme == "grpc":
            assert sizes == [0, 160] + [1600] * 6 + [0]
        else:
            assert sizes[:3] == [0, 160, 6 * 1600]
            assert sizes[3:] in ([], [0])  # END, if it was not quick enough to go with the audio

    asyncio.run(run())


async def leave(session, client, way: str) -> None:
    """Use a session and leave it unfinished."""
    async with session:
        await session.send(NOISE[:4000])
        if way == "exception":
            raise KeyError
        if way == "close":
            await session.close()
            with pytest.raises(ClientClosed):
                await session.send(NOISE[:10])
            with pytest.raises(ClientClosed):
                await session.finish()
            await session.close()
        if way == "client":
            await client.close()


@pytest.mark.parametrize("way", ["exception", "fall through", "close", "client"])
def test_leaving_early_ends_the_sequence_on_the_server(side, toy, way):
    async def run() -> None:
        for _ in range(2 * SESSION_LIMIT):  # more than may be open at once
            async with side.client(toy.url(side.scheme)) as client:
                session = client.stream(model="toy_stream")
                try:
                    await leave(session, client, way)
                except KeyError:
                    assert way == "exception"
                await ended(toy, session.sequence_id)

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("moment", ["open", "send", "finish", "updates"])
def test_a_cancelled_task_ends_the_sequence_on_the_server(toy, scheme, moment):
    async def work(session) -> None:
        async with session:
            if moment == "updates":
                async for _ in session.updates():
                    pass
            await session.send(trouble("hold"))
            if moment == "finish":
                await session.finish()
            await session.send(np.tile(NOISE, 3))

    async def run() -> None:
        toy.received.hold()
        async with AsyncClient(toy.url(scheme)) as client:
            async with client.stream(model="toy_stream") as blocker:
                session = client.stream(model="toy_stream")
                if moment == "open":
                    await blocker.send(trouble("hold"))
                task = asyncio.create_task(work(session))
                seen = {"open": 0, "updates": 1}.get(moment, 2)  # requests at the model
                await until(lambda: len(toy.received.events(session.sequence_id)) >= seen)
                await asyncio.sleep(0.5)
                task.cancel()
                await asyncio.sleep(0.1)
                toy.received.release()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await blocker.finish()
            # A START that had not reached the model when it was given up may never do so.
            if moment != "open" or toy.received.events(session.sequence_id):
                await ended(toy, session.sequence_id)

    asyncio.run(run())


def test_one_session_too_many(side, toy):
    async def run() -> None:
        async with side.client(toy.url(side.scheme)) as client:
            sessions = [client.stream(model="toy_stream") for _ in range(SESSION_LIMIT + 1)]
            for session in sessions[:-1]:
                await session.open()
            with pytest.raises(SessionLimitReached, match=f"{SESSION_LIMIT} sessions are open"):
                await sessions[-1].open()
            # Triton gave it a slot nevertheless, which is given back.
            await ended(toy, sessions[-1].sequence_id)
            for session in sessions[:-1]:
                await session.send(NOISE[:1600])
            assert (await sessions[0].finish()).text == "a"
            async with client.stream(model="toy_stream") as session:
                await session.finish()
            for session in sessions[1:-1]:
                await session.close()
                await ended(toy, session.sequence_id)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "cause", "message"),
    [
        ("fail", ServerError, "no luck"),
        ("forget", ServerError, "the state of sequence"),
        ("garble", ProtocolError, "TEXT: expected it to begin with"),
        ("hold", RequestTimeout, "no answer within 5 s"),
    ],
)
def test_a_failed_request_loses_the_session_and_the_error_says_what(
    side, toy, monkeypatch, kind, cause, message
):
    # END waits behind the held request until that is released.
    monkeypatch.setattr("asr_client.session_aio.CLOSE_TIMEOUT_S", 60.0)

    async def run() -> None:
        toy.received.hold()
        async with side.session(toy, timeout_s=5 if kind == "hold" else 60) as session:
            await session.send(NOISE[:4000])
            await until(lambda: session.acknowledged_s == 0.25)
            await session.send(trouble(kind))
            with pytest.raises(SessionLost, match=message) as caught:
                while True:
                    await session.send(NOISE[:1600])
                    await asyncio.sleep(0.02)
            toy.received.release()
            error = caught.value
            assert isinstance(error.__cause__, cause)
            assert error.acknowledged_s == 0.25
            assert error.sent_s >= 0.26
            assert error.text == session.text == "ab"
            assert "0.25 s of" in str(error)
            with pytest.raises(SessionLost):
                await session.finish()
            with pytest.raises(SessionLost):
                async for update in session.updates():
                    assert update.text == "ab"
        await ended(toy, session.sequence_id)

    asyncio.run(run())


def test_a_killed_server_loses_the_session(side, tmp_path):
    async def run(server: TritonServer) -> None:
        toy = Toy(server, Received(repository))
        async with side.session(toy) as session:
            await session.send(NOISE[: 2 * SECOND])
            await until(lambda: session.acknowledged_s == 2)
            os.kill(server.pid, signal.SIGKILL)
            start = time.monotonic()
            with pytest.raises(SessionLost) as caught:
                while True:
                    await session.send(NOISE[:1600])
                    await asyncio.sleep(0.02)
            assert time.monotonic() - start < 30
            assert isinstance(caught.value.__cause__, ConnectionFailed)
            assert caught.value.acknowledged_s == 2
            assert caught.value.text == letters(2 * SECOND)

    repository = write_repository(tmp_path / "repository")
    flags = ServerFlags(exit_timeout_s=1)
    with TritonServer([repository], log=tmp_path / "log", flags=flags) as server:
        server.wait_ready(READY_TIMEOUT_S)
        asyncio.run(run(server))


def test_what_is_wrong_from_the_start_is_no_session(side, toy):
    async def run() -> None:
        async with side.client(toy.url(side.scheme)) as client:
            session = client.stream(model="nothing")
            with pytest.raises(ModelNotFound):
                await session.open()
            with pytest.raises(SessionLost, match="'nothing' is not found"):
                await session.send(NOISE[:1])
        port = misbehaving.refusing_port()
        async with side.client(f"{side.scheme}://127.0.0.1:{port}") as client:
            with pytest.raises(ConnectionFailed):
                await client.stream().open()
        with misbehaving.tcp_server(misbehaving.silent) as port:
            async with side.client(f"{side.scheme}://127.0.0.1:{port}", timeout_s=0.5) as client:
                start = time.monotonic()
                with pytest.raises(RequestTimeout):
                    await client.stream().open()
                assert time.monotonic() - start < 30

    asyncio.run(run())


def test_misuse_is_named_and_bad_audio_leaves_the_session_alive(side, toy):
    async def run() -> None:
        async with side.client(toy.url(side.scheme)) as client:
            session = client.stream(model="toy_stream")
            with pytest.raises(ClientClosed, match="not open"):
                await session.send(NOISE[:10])
            with pytest.raises(ClientClosed, match="not open"):
                await session.finish()
            async with session:
                with pytest.raises(ClientClosed, match="opened once"):
                    await session.open()
                for bad in (b"123", np.array([np.nan], np.float32), np.zeros((2, 500)), "x.wav"):
                    with pytest.raises(AudioError):
                        await session.send(bad)
                with pytest.raises(AudioError, match="sample_rate"):
                    await session.send(NOISE[:10], sample_rate=16)
                await session.send(NOISE[:1600])
                assert (await session.finish()).text == "a"
                with pytest.raises(ClientClosed, match="finished or closed"):
                    await session.send(NOISE[:10])

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_the_sessions_of_a_client_share_one_thread(toy, scheme):
    def own_threads() -> int:
        return sum(thread.name.startswith("asr-client") for thread in threading.enumerate())

    with Client(toy.url(scheme)) as client:
        before = threading.active_count()
        sessions = [client.stream(model="toy_stream") for _ in range(SESSION_LIMIT)]
        for session in sessions:
            session.open()
            session.send(NOISE[:3200])
        assert own_threads() == 1
        assert threading.active_count() <= before + 2  # and gRPC's own poller, once a process
        assert [session.finish().text for session in sessions] == ["ab"] * SESSION_LIMIT
    assert own_threads() == 0


def test_sessions_of_several_event_loops_do_not_disturb_each_other(toy, caplog):
    """grpc.aio shares one poller among the loops of a process."""

    def work(number: int) -> None:
        with Client(toy.url("grpc")) as client, client.stream(model="toy_stream") as session:
            for first in range(0, 4 * SECOND, 640):
                session.send(NOISE[first : first + 640])
            texts[number] = session.finish().text

    texts: dict[int, str] = {}
    threads = [threading.Thread(target=work, args=(number,)) for number in range(SESSION_LIMIT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {number: letters(4 * SECOND) for number in range(SESSION_LIMIT)}
    assert not caplog.records
