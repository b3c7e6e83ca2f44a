"""Exchanges of FunASR's own Python client with the gateway, replayed.

Recorded behind `funasr_wss_client.py` of FunASR at commit 3c58cb56 (2026-08-21), which
`tests/soak/test_gateway.py` runs. Each line of a recording is a message: of the client
or the server, text as it was, audio as its length.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.gateways import client_of, running_gateway, spoken_pcm

RECORDED = Path(__file__).parent / "recorded"
AUDIO = spoken_pcm(2)[:-62_000]  # to the last word, which is still spoken at the end


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
        received = [json.loads(await socket.recv())]
        while not received[-1].get("is_end"):
            received.append(json.loads(await socket.recv()))
        return received


def shape(reply: dict[str, Any]) -> tuple[Any, ...]:
    """What does not depend on the weights of the models."""
    types = sorted((name, type(value).__name__) for name, value in reply.items())
    return (reply["mode"], reply["is_final"], tuple(types))


@pytest.mark.parametrize("name", ["2pass", "online", "offline", "service_offline"])
def test_funasrs_client_gets_what_it_got(gateway, triton_url, name):
    text = (RECORDED / f"{name}.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    recorded = [json.loads(line["server"]) for line in lines if "server" in line]
    if name == "service_offline":
        with running_gateway(triton_url, service="offline") as offline:
            received = asyncio.run(replay(offline, lines))
    else:
        received = asyncio.run(replay(gateway, lines))
    assert {shape(reply) for reply in received} <= {shape(reply) for reply in recorded}
    assert [shape(reply) for reply in received[-2:]] == [shape(reply) for reply in recorded[-2:]]
    for replies in (received, recorded):  # the client's own rule: it prints what it got
        assert "".join(reply["text"] for reply in replies if reply["text"])
