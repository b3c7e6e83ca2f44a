"""Many sessions of the Realtime API at once, each at the speed of speech."""

from __future__ import annotations

import asyncio
import base64
import json
import time

from tests.gateway.gateways import RunningGateway, client_of, spoken_pcm
from tests.gateway.load import FRAME_S, Load
from tests.gateway.realtime_client import COMPLETED, DELTA, RATE, at_24_khz

FRAME = int(FRAME_S * 2 * RATE)
_BEGAN = "input_audio_buffer.speech_started"
_STOPPED = "input_audio_buffer.speech_stopped"
_CLEARED = "input_audio_buffer.cleared"
_LAST_S = 300  # for the text of what was said last


async def talk_realtime(gateway: RunningGateway, load: Load, seed: int, duration_s: float) -> None:
    """One client: it speaks for a time, and waits for the text of every item."""
    audio = at_24_khz(spoken_pcm(3, seed=seed))
    # Made once: the clients share the machine with what they try.
    appends = [_append(audio[first : first + FRAME]) for first in range(0, len(audio), FRAME)]
    try:
        async with client_of(gateway, "/v1/realtime?intent=transcription") as socket:
            await asyncio.sleep(seed % 50 * 0.05)
            begun_s = time.monotonic()
            reading = asyncio.create_task(_read(socket, load, begun_s))
            sent_s = 0.0
            while time.monotonic() < begun_s + duration_s:
                for first, append in zip(range(0, len(audio), FRAME), appends, strict=True):
                    spoken_s = sent_s + min(first + FRAME, len(audio)) / (2 * RATE)
                    await asyncio.sleep(max(begun_s + spoken_s - time.monotonic(), 0))
                    await socket.send(append)
                sent_s = spoken_s
            # Audio behind a commit waits for the results of what is committed: what is told of
            # that audio, comes behind all of them, however slow the machine.
            await socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
            await socket.send(_append(bytes(FRAME)))
            await socket.send(json.dumps({"type": "input_audio_buffer.clear"}))
            await asyncio.wait_for(reading, _LAST_S)
    except Exception as error:
        load.errors.append(repr(error))


def _append(pcm: bytes) -> str:
    text = base64.b64encode(pcm).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": text})


async def _read(socket, load: Load, begun_s: float) -> None:
    """Read up to `cleared`."""
    open_items: set[str] = set()
    ends_s: dict[str, float] = {}
    while True:
        event = json.loads(await socket.recv())
        kind, item = event["type"], event.get("item_id")
        if kind == "error":
            load.errors.append(event["error"]["message"])
        elif kind == _BEGAN:
            open_items.add(item)
        elif kind == _STOPPED:
            ends_s[item] = begun_s + event["audio_end_ms"] / 1000
        elif kind == DELTA:
            load.partials += 1
        elif kind == COMPLETED:
            load.sentences += bool(event["transcript"])
            if item in ends_s:  # the item of a commit behind all speech has no end of speech
                load.sentence_s.append(time.monotonic() - ends_s[item])
            open_items.discard(item)
        elif kind == _CLEARED:
            if open_items:
                load.errors.append(f"no text of {len(open_items)} items")
            return


async def run_realtime_load(gateway: RunningGateway, clients: int, duration_s: float) -> Load:
    """Let so many clients talk for a time."""
    load = Load()
    talks = [talk_realtime(gateway, load, seed, duration_s) for seed in range(clients)]
    await asyncio.gather(*talks)
    return load
