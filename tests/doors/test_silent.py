"""Connections to the HTTP door that ask for nothing, or speak no HTTP: nobody suffers by them."""

from __future__ import annotations

import asyncio
import socket

import pytest

from asr_server.doors import http_door, silent
from asr_server.doors.access import Access
from asr_server.doors.http_door import HttpDoor
from asr_server.doors.silent import SilentConnections

QUESTION = b"GET /v2/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def door_at(folder):
    """A door without a Triton behind it, and its port."""
    door = HttpDoor(Access(), folder / "http", folder / "metrics")
    listening, metrics = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    port = listening.getsockname()[1]
    await door.start(listening, metrics)
    return door, port


async def opened(port: int, address: str = "127.0.0.1"):
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def asked(connection) -> bytes:
    reader, writer = connection
    writer.write(QUESTION)
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)


async def is_cut(connection) -> bool:
    try:
        return await asyncio.wait_for(connection[0].read(1), 10) == b""
    except ConnectionError:
        return True


def run(test) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def test_a_connection_that_asks_for_nothing_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(silent, "FIRST_S", 0.5)
    monkeypatch.setattr(silent, "_LOOK_S", 0.1)

    async def test() -> None:
        door, port = await door_at(tmp_path)
        silent_one, dripping, asking = [await opened(port) for _ in range(3)]
        dripping[1].write(QUESTION[:20])
        assert b" 200 " in await asked(asking)
        assert await is_cut(silent_one)
        assert await is_cut(dripping)
        await door.close()

    run(test())


@pytest.mark.parametrize("flood", ["127.0.0.1", "127.0.0.2"])
def test_the_quietest_of_whom_has_most_make_way(tmp_path, monkeypatch, flood):
    monkeypatch.setattr(silent, "_LOOK_S", 0.1)
    monkeypatch.setattr(
        http_door, "SilentConnections", lambda *args: SilentConnections(*args, most=10)
    )

    async def test() -> None:
        door, port = await door_at(tmp_path)
        many = [await opened(port, flood) for _ in range(40)]
        assert b" 200 " in await asked(await opened(port))  # one more is served at once
        assert await is_cut(many[0])
        for _ in range(100):
            if len(door._connections()) <= 10:
                break
            await asyncio.sleep(0.05)
        assert len(door._connections()) <= 10
        await door.close()

    run(test())


@pytest.mark.parametrize(
    "words",
    [
        b"\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        QUESTION + b"POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["bytes", "version", "chunk", "behind another", "header"],
)
def test_what_is_no_http_is_answered_and_no_error_of_ours(tmp_path, caplog, words):
    async def test() -> None:
        door, port = await door_at(tmp_path)
        reader, writer = await opened(port)
        writer.write(words)
        assert await asyncio.wait_for(reader.readuntil(b" 400 "), 30)
        await door.close()

    run(test())
    assert [record for record in caplog.records if record.exc_info] == []
