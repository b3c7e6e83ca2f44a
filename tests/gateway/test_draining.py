"""SIGTERM: what is under way goes on, what is left is handed over, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
import websockets

from tests.cluster import speak
from tests.gateway.gateways import (
    END,
    FRAME,
    begin,
    client_of,
    recognise,
    replies,
    running_gateway,
    spoken_pcm,
    texts,
)
from tests.gateway.realtime_client import COMPLETED, at_24_khz, of_type, realtime

AUDIO = spoken_pcm(2)
LONG = spoken_pcm(4, seed=2)
PATIENCE_S = 120
PACE = 6.0  # times as fast as speech


@pytest.fixture(scope="module")
def expected(gateway):
    return texts(asyncio.run(recognise(gateway, AUDIO)), "2pass-offline")


def terminate(gateway) -> None:
    """What SIGTERM does; these gateways live in this process."""
    gateway.server.handle_exit(signal.SIGTERM, None)


async def until_heard(gateway) -> None:
    """Wait until a session has audio."""
    while all(session.idle_since_s is not None for session in gateway.server.gateway.sessions):
        await asyncio.sleep(0.02)


async def until_gone(gateway) -> None:
    """Wait until nobody listens any more."""
    deadline_s = time.monotonic() + PATIENCE_S
    host, _, port = gateway.address.rpartition(":")
    while time.monotonic() < deadline_s:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return
        writer.close()
        await asyncio.sleep(0.05)
    raise TimeoutError("the gateway still listens")


async def state(session: aiohttp.ClientSession, gateway) -> tuple[int, int]:
    """Status of liveness and readiness."""
    async with (
        session.get(f"{gateway.http}/healthz") as live,
        session.get(f"{gateway.http}/readyz") as ready,
    ):
        return live.status, ready.status


def test_what_is_open_goes_on_and_nothing_new_is_taken(triton_url, expected):
    async def run(gateway) -> None:
        async with aiohttp.ClientSession() as http, client_of(gateway) as socket:
            assert await state(http, gateway) == (200, 200)
            await socket.send(begin())
            await socket.send(AUDIO[: 10 * FRAME])
            await until_heard(gateway)
            async with client_of(gateway) as idle:
                terminate(gateway)
                await idle.wait_closed()
                assert idle.close_code == 1001
            assert await state(http, gateway) == (200, 503)
            async with client_of(gateway) as late:
                with suppress(websockets.ConnectionClosed):  # it is told without having asked
                    await late.send(begin())
                assert "come again" in json.loads(await late.recv())["error"]
                await late.wait_closed()
                assert late.close_code == 1013
            await socket.send(AUDIO[10 * FRAME :])
            await socket.send(END)
            received = await replies(socket)
            assert texts(received, "2pass-offline") == expected
            assert "committed" not in received[-1]
            await socket.wait_closed()
            assert socket.close_code == 1001
            await until_gone(gateway)

    with running_gateway(triton_url, drain_s=PATIENCE_S) as gateway:
        asyncio.run(run(gateway))


@pytest.mark.parametrize("at_s", [2.0, 5.5, 9.0])
def test_what_is_cut_goes_on_elsewhere_from_what_is_committed(triton_url, gateway, at_s):
    """In the middle of words or between sentences: with the other gateway it is one text."""
    alone = texts(asyncio.run(recognise(gateway, LONG)), "2pass-offline")

    async def run(leaving) -> None:
        speaking = asyncio.create_task(speak([leaving, gateway], LONG, pace=PACE))
        await asyncio.sleep(at_s / PACE)
        terminate(leaving)
        heard = await speaking
        assert heard.sentences == alone
        assert (heard.moves, heard.errors) == (1, [])

    with running_gateway(triton_url, drain_s=0.1, shutdown_grace_s=PATIENCE_S) as leaving:
        asyncio.run(run(leaving))


async def slowly(data: bytes, half: asyncio.Event, go_on: asyncio.Event) -> AsyncIterator[bytes]:
    """A file in two parts, the second when it may come."""
    yield data[: len(data) // 2]
    half.set()
    await go_on.wait()
    yield data[len(data) // 2 :]


@pytest.mark.parametrize("patience_s", [PATIENCE_S, 0.2])
def test_an_upload_is_finished_or_told_to_come_again(triton_url, talk, expected, patience_s):
    async def run(gateway) -> None:
        half, go_on = asyncio.Event(), asyncio.Event()
        body = aiohttp.MultipartWriter("form-data")
        for name, value in (("model", "sensevoice"), ("response_format", "text")):
            body.append(value).set_content_disposition("form-data", name=name)
        file = body.append(slowly(talk.read_bytes(), half, go_on))
        file.set_content_disposition("form-data", name="file", filename="talk.flac")
        async with aiohttp.ClientSession() as http:
            url = f"{gateway.http}/v1/audio/transcriptions"
            posting = asyncio.create_task(http.post(url, data=body))
            await half.wait()
            while not gateway.server.gateway.limits.open:
                await asyncio.sleep(0.02)
            terminate(gateway)
            if patience_s == PATIENCE_S:
                while (await state(http, gateway))[1] != 503:
                    await asyncio.sleep(0.02)
                go_on.set()
            async with await posting as answer:
                if patience_s == PATIENCE_S:
                    assert answer.status == 200
                    said = await answer.text()
                    assert all(text in said for text in expected)
                else:
                    assert answer.status == 503
                    assert answer.headers["Retry-After"]
                    assert "shutting down" in (await answer.json())["error"]["message"]
            go_on.set()
            await until_gone(gateway)

    settings = {"drain_s": patience_s, "shutdown_grace_s": patience_s}
    with running_gateway(triton_url, **settings) as gateway:
        asyncio.run(run(gateway))


def test_realtime_sessions_get_what_they_have_said(triton_url, expected):
    async def run(gateway) -> None:
        async with realtime(gateway) as session:
            await session.configure()
            await session.append(at_24_khz(AUDIO))
            events = await session.until(COMPLETED)
            terminate(gateway)
            try:
                while True:
                    events.append(await session.next())
            except websockets.ConnectionClosed as closed:
                assert closed.rcvd is not None and closed.rcvd.code == 1001
            done = of_type(events, COMPLETED)
            said = [event["transcript"] for event in done]
            assert [text for text in said if text] == expected

    with running_gateway(triton_url, drain_s=0.1, shutdown_grace_s=PATIENCE_S) as gateway:
        asyncio.run(run(gateway))


def test_ctrl_c_does_not_wait_for_who_speaks(triton_url):
    async def run(gateway) -> None:
        async with client_of(gateway) as socket:
            await socket.send(begin())
            await socket.send(AUDIO[: 10 * FRAME])
            json_reply = asyncio.create_task(socket.recv())
            await until_heard(gateway)
            gateway.server.handle_exit(signal.SIGINT, None)
            last = json.loads(await json_reply)
            while not last["is_final"]:
                last = json.loads(await socket.recv())
            assert last["committed"] == {"ms": 0, "stretches": 0}

    with running_gateway(triton_url, drain_s=10 * PATIENCE_S) as gateway:
        asyncio.run(run(gateway))
