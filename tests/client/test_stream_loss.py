"""Streaming sessions that are left, refused, or lost: what the server is told, and the user."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import numpy as np
import pytest

from asr_client import (
    AsyncClient,
    AudioError,
    ClientClosed,
    ConnectionFailed,
    ModelNotFound,
    ProtocolError,
    RequestTimeout,
    ServerError,
    SessionLimitReached,
    SessionLost,
)
from asr_server.run import ServerFlags, TritonServer
from tests.client import misbehaving
from tests.client.sides import NOISE, SECOND, ended, trouble, until
from tests.client.toy_streaming import SESSION_LIMIT, Received, Toy, letters, write_repository
from tests.serving import running


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
    monkeypatch.setattr("asr_client.aio.session.CLOSE_TIMEOUT_S", 60.0)

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
    with running(TritonServer([repository], log=tmp_path / "log", flags=flags)) as server:
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
