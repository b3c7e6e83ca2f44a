"""Many clients at once, each at the speed of speech; how long they wait for text."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

import numpy as np

from tests.gateway.gateways import END, RunningGateway, begin, client_of, spoken_pcm

FRAME_S = 0.06
FRAME = int(FRAME_S * 32000)


@dataclass
class Load:
    """What happened.

    Attributes:
        partial_s: for each partial text, from the end of its last word to its arrival. A chunk of
            600 ms and its look-ahead of 300 ms are part of that.
        sentence_s: for each sentence, the same.
        sentences, partials: how many came with text.
        errors: messages of replies that are errors, and of exceptions.
    """

    partial_s: list[float] = field(default_factory=list)
    sentence_s: list[float] = field(default_factory=list)
    sentences: int = 0
    partials: int = 0
    errors: list[str] = field(default_factory=list)

    def percentile(self, latencies: list[float], percent: float) -> float:
        """A percentile, in seconds."""
        return float(np.percentile(latencies, percent))


async def talk(gateway: RunningGateway, load: Load, seed: int, duration_s: float) -> None:
    """One client: utterance after utterance on one socket, for a time."""
    audio = spoken_pcm(3, seed=seed)
    try:
        async with client_of(gateway) as socket:
            await asyncio.sleep(seed % 50 * 0.05)  # people do not begin together
            end_s = time.monotonic() + duration_s
            while time.monotonic() < end_s:
                await _say(socket, audio, load)
    except Exception as error:
        load.errors.append(repr(error))


async def _say(socket, audio: bytes, load: Load) -> None:
    begun_s = time.monotonic()

    async def read() -> None:
        while True:
            reply = json.loads(await socket.recv())
            if "error" in reply:
                load.errors.append(reply["error"])
            if reply.get("is_end"):
                return
            if "end_time" in reply:
                late_s = time.monotonic() - begun_s - reply["end_time"] / 1000
                is_partial = reply["mode"] == "2pass-online"
                (load.partial_s if is_partial else load.sentence_s).append(late_s)
                load.sentences += not is_partial
                load.partials += is_partial

    await socket.send(begin())
    reading = asyncio.create_task(read())
    for index, first in enumerate(range(0, len(audio), FRAME)):
        due_s = begun_s + (index + 1) * FRAME_S  # a microphone gives a frame when it is spoken
        await asyncio.sleep(max(due_s - time.monotonic(), 0))
        await socket.send(audio[first : first + FRAME])
    await socket.send(END)
    await reading


async def run_load(gateway: RunningGateway, clients: int, duration_s: float) -> Load:
    """Let so many clients talk for a time."""
    load = Load()
    talks = [talk(gateway, load, seed, duration_s) for seed in range(clients)]
    await asyncio.gather(*talks)
    return load
