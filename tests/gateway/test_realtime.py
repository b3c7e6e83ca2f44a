"""The commands of FunASR's realtime server: what its clients send, and what they read."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.gateway.gateways import (
    END,
    FRAME,
    begin,
    client_of,
    recognise,
    spoken_pcm,
    texts,
)

AUDIO = spoken_pcm(2)
CHUNK = 3200  # bytes; 100 ms, as FunASR's client_python.py sends


@pytest.fixture(scope="module")
def expected(gateway):
    """The sentences of the audio, by the other protocol."""
    return texts(asyncio.run(recognise(gateway, AUDIO)), "2pass-offline")


async def until(socket, name: str, value: object) -> list[dict]:
    """Replies up to the first in which a field has a value."""
    received = [json.loads(await socket.recv())]
    while received[-1].get(name) != value:
        received.append(json.loads(await socket.recv()))
    return received


async def speak(socket, audio: bytes = AUDIO) -> None:
    for first in range(0, len(audio), CHUNK):
        await socket.send(audio[first : first + CHUNK])


def said(answer: dict) -> list[str]:
    return [sentence["text"] for sentence in answer["sentences"]]


@pytest.mark.parametrize("start", ["START", " start\n"])
def test_a_session_from_start_to_stop_and_another(gateway, expected, start):
    async def run() -> list[list[dict]]:
        async with client_of(gateway) as socket:
            sessions = []
            for _ in range(2):
                await socket.send(start)
                assert json.loads(await socket.recv()) == {"event": "started"}
                await speak(socket)
                await socket.send("STOP")
                sessions.append(await until(socket, "event", "stopped"))
            return sessions

    for received in asyncio.run(run()):
        *answers, last, stopped = received
        assert stopped == {"event": "stopped"}
        assert said(last) == expected
        assert last["is_final"] and last["partial"] == ""
        assert last["duration_ms"] == len(AUDIO) // 32
        assert not any(answer["is_final"] for answer in answers)
        assert any(answer["partial"] for answer in answers)
        for sentence in last["sentences"]:
            assert 0 <= sentence["start"] < sentence["end"] <= last["duration_ms"]
        grown = [len(answer["sentences"]) for answer in (*answers, last)]
        assert grown == sorted(grown)


def test_commit_ends_a_sentence_and_the_session_goes_on(gateway, expected):
    middle = len(AUDIO) // 2 // FRAME * FRAME

    async def run() -> tuple[dict, dict]:
        async with client_of(gateway) as socket:
            await socket.send("START")
            await speak(socket, AUDIO[:middle])
            await socket.send("COMMIT")
            first = (await until(socket, "is_final", True))[-1]
            await speak(socket, AUDIO[middle:])
            await socket.send("STOP")
            received = await until(socket, "event", "stopped")
            return first, received[-2]

    first, last = asyncio.run(run())
    assert first["is_final"] and first["duration_ms"] == middle // 32
    assert said(last)[: len(said(first))] == said(first) != []
    assert last["duration_ms"] == len(AUDIO) // 32
    starts = [sentence["start"] for sentence in last["sentences"]]
    assert starts == sorted(starts) and starts[-1] >= first["duration_ms"]


def test_hotwords_and_language_are_told_and_used(gateway):
    async def run() -> list[dict]:
        async with client_of(gateway) as socket:
            await socket.send("HOTWORDS:阿里巴巴, C++")
            await socket.send("LANGUAGE:中文")
            await socket.send("LANGUAGE:Klingon")
            settings = [json.loads(await socket.recv()) for _ in range(3)]
            await socket.send("START")
            await speak(socket)
            await socket.send("STOP")
            return settings + await until(socket, "event", "stopped")

    hotwords, language, refused, *received = asyncio.run(run())
    assert hotwords == {"event": "hotwords_set", "hotwords": ["阿里巴巴", "C++"]}
    assert language == {"event": "language_set", "language": "中文"}
    assert refused["event"] == "error" and "expected" in refused["error"]
    assert "hotword 'C++'" in received[-2]["warning"]  # which the vocabulary cannot write
    assert said(received[-2])


def test_stop_within_an_utterance_of_the_other_protocol_is_answered(gateway):
    async def run() -> list[dict]:
        async with client_of(gateway) as socket:
            await socket.send(begin())
            await speak(socket, AUDIO[:CHUNK])
            await socket.send("STOP")
            await until(socket, "event", "stopped")
            await speak(socket, AUDIO[CHUNK:])
            await socket.send(END)
            return await until(socket, "is_end", True)

    assert texts(asyncio.run(asyncio.wait_for(run(), 60)), "2pass-offline")


def test_commands_out_of_order_are_answered(gateway, expected):
    async def run() -> None:
        async with client_of(gateway) as socket:
            await socket.send("STOP")
            assert json.loads(await socket.recv()) == {"event": "stopped"}
            await socket.send("COMMIT")
            assert json.loads(await socket.recv())["event"] == "error"
            await socket.send("START")
            await socket.send("STOP")
            *_, last, _ = await until(socket, "event", "stopped")
            assert last["sentences"] == [] and last["is_final"]
            await speak(socket)  # nobody listens
            await socket.send("START")
            await speak(socket)
            await socket.send("STOP")
            assert said((await until(socket, "event", "stopped"))[-2]) == expected
            await socket.send("START")
            await speak(socket)
            await socket.send("STOP")
            await socket.send("STOP")  # somebody is in a hurry
            assert said((await until(socket, "event", "stopped"))[-2]) == expected

    asyncio.run(run())


def test_the_other_protocol_follows_on_the_same_socket(gateway, expected):
    async def run() -> list[dict]:
        async with client_of(gateway) as socket:
            await socket.send("START")
            await speak(socket, AUDIO[:32000])
            await socket.send("STOP")
            await until(socket, "event", "stopped")
            await socket.send('{"mode": "offline", "is_speaking": true}')
            await speak(socket)
            await socket.send('{"is_speaking": false}')
            return await until(socket, "is_final", True)

    assert asyncio.run(run())[-1]["text"] == "".join(expected)
