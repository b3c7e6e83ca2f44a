"""Exchanges of published clients with the gateway, replayed.

`python -m lab.published_clients --record` writes them, at the versions that docs/clients.md names.
A `.jsonl` file is a connection of a websocket, a message a line: of the client or the server, text
as it was, audio as its length; a first line `{"path": …}` is of the Realtime API. A `.json` file is
an HTTP request, its body but for the file as it was, and the shape of the answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from lab.published_clients.material import spoken_samples, write_recordings
from lab.published_clients.recording import FILE, shape
from tests.gateway.gateways import client_of, running_gateway
from tests.gateway.realtime_client import COMPLETED, DELTA, at_24_khz

RECORDED = Path(__file__).parent / "recorded"
AUDIO = spoken_samples().tobytes()
TIMEOUT_S = 120
CLOSING = ("is_final", "mode", "text", "wav_name")  # of a message that closes, with nothing new


async def replay(gateway, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send what the client sent, and return what the gateway answers up to the end."""
    position = 0
    async with client_of(gateway, subprotocols=["binary"]) as socket:
        for message in (line["client"] for line in lines if "client" in line):
            if isinstance(message, str):
                await socket.send(message)
            else:
                await socket.send(AUDIO[position : position + message])
                position += message
        assert position == len(AUDIO)
        last = json.loads([line["server"] for line in lines if "server" in line][-1])
        end = next(name for name in ("is_end", "event", "is_final") if name in last)
        received = [json.loads(await socket.recv())]
        while received[-1].get(end) != last[end]:
            received.append(json.loads(await socket.recv()))
        return received


def fields(reply: dict[str, Any]) -> tuple[Any, ...]:
    """What does not depend on the weights of the models."""
    types = sorted((name, type(value).__name__) for name, value in reply.items())
    return (reply.get("mode"), tuple(types))


def settled(replies: list[dict[str, Any]]) -> str:
    """The text that a client keeps, by FunASR's own clients' rules."""
    if "sentences" in replies[max(len(replies) - 2, 0)]:
        return "".join(sentence["text"] for sentence in replies[-2]["sentences"])
    kept = [reply["text"] for reply in replies if reply["mode"] != "2pass-online"]
    return "".join(kept)


CONNECTIONS = {
    path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for path in sorted(RECORDED.glob("*.jsonl"))
}
OF_REALTIME = [name for name, lines in CONNECTIONS.items() if "path" in lines[0]]


@pytest.mark.parametrize("name", [name for name in CONNECTIONS if name not in OF_REALTIME])
def test_a_client_of_the_websocket_gets_what_it_got(gateway, triton_url, name):
    lines = CONNECTIONS[name]
    recorded = [json.loads(line["server"]) for line in lines if "server" in line]
    if "_offline-" in name and "wss_client" in name:
        with running_gateway(triton_url, service="offline") as offline:
            received = asyncio.run(replay(offline, lines))
    else:
        received = asyncio.run(replay(gateway, lines))
    # Its own pace is not replayed: what is said in the closing message may have come before.
    known = {fields(reply) for reply in recorded}
    for reply in received:
        is_closing = tuple(sorted(reply)) == CLOSING and reply["is_final"] and not reply["text"]
        assert fields(reply) in known or is_closing, reply
    for replies in (received, recorded):
        finals = [reply.get("is_final") for reply in replies if "is_end" not in reply]
        assert finals.count(True) == 1
        assert settled(replies)
    if any("start_time" in reply for reply in recorded):
        assert "start_time" in [reply for reply in received if "is_end" not in reply][-1]


async def replay_realtime(gateway, lines: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Send what a client of the Realtime API sent, and return all up to so many whole texts."""
    position, audio = 0, at_24_khz(AUDIO + bytes(3 * 32000))
    received: list[dict[str, Any]] = []
    async with client_of(gateway, lines[0]["path"]) as socket:
        for message in (line["client"] for line in lines if "client" in line):
            event = json.loads(message)
            if event["type"] == "input_audio_buffer.append":
                piece = audio[position : position + event["audio"]]
                position += event["audio"]
                event["audio"] = base64.b64encode(piece).decode()
            await socket.send(json.dumps(event))
        while sum(event["type"] == COMPLETED for event in received) < count:
            received.append(json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT_S)))
    assert len(at_24_khz(AUDIO)) < position <= len(audio)
    return received


def named(event: dict[str, Any]) -> str:
    """An event's type and the names and types of its fields."""
    return json.dumps([event["type"], shape(event)])


def by_item(events: list[dict[str, Any]]) -> list[list[str]]:
    """The types of a session's own events, and those of each item's, deltas aside, in order."""
    kinds: dict[str, list[str]] = {}
    for event in events:
        if event["type"] != DELTA:
            item = event.get("item_id") or event.get("item", {}).get("id", "")
            kinds.setdefault(item, []).append(event["type"])
    return list(kinds.values())


@pytest.mark.parametrize("name", OF_REALTIME)
def test_a_client_of_the_realtime_api_gets_what_it_got(gateway, name):
    """Its own pace is not replayed: deltas may be fewer, and an item begin before another ends."""
    lines = CONNECTIONS[name]
    recorded = [json.loads(line["server"]) for line in lines if "server" in line]
    texts = [event["transcript"] for event in recorded if event["type"] == COMPLETED]
    received = asyncio.run(replay_realtime(gateway, lines, len(texts)))
    assert {named(event) for event in received} <= {named(event) for event in recorded}
    assert by_item(received) == by_item(recorded)
    assert [event["transcript"] for event in received if event["type"] == COMPLETED] == texts
    for item in {event["item_id"] for event in received if event["type"] == COMPLETED}:
        deltas = [e["delta"] for e in received if e["type"] == DELTA and e["item_id"] == item]
        assert deltas and all(deltas)


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda path: path.stem)
def test_a_client_of_the_http_api_gets_what_it_got(gateway, tmp_path, path):
    exchange = json.loads(path.read_text(encoding="utf-8"))
    asked, answered = exchange["request"], exchange["response"]
    file = Path(write_recordings(tmp_path)["wav"]).read_bytes()
    body = asked["body"].encode("latin-1")
    assert asked["method"] != "POST" or FILE.encode() in body
    answer = requests.request(
        asked["method"],
        gateway.http + asked["path"],
        headers=asked["headers"],
        data=body.replace(FILE.encode(), file),
        timeout=TIMEOUT_S,
    )
    assert (answer.status_code, answer.headers["content-type"]) == (
        answered["status"],
        answered["type"],
    )
    if answered["shape"] is not None:
        assert shape(answer.json()) == answered["shape"]
    assert len(answer.text) > 20
