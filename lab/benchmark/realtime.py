"""Streams that speak at real speed, and how long each piece of audio waits for its answer."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tritonclient.grpc.aio as triton
from websockets.asyncio.client import connect

from asr_contract import SAMPLE_RATE, STREAMING_MODEL
from lab.benchmark.bare_streaming import CHUNK_S
from lab.benchmark.workload import Recording

CHUNK_SAMPLES = int(CHUNK_S * SAMPLE_RATE)


@dataclass(frozen=True)
class Load:
    """One run of several streams.

    Attributes:
        streams: how many at a time.
        latencies_s: of every piece, from the moment it was spoken to its answer.
    """

    streams: int
    latencies_s: list[float]

    def percentile_s(self, percent: float) -> float:
        """Return a percentile of the latencies."""
        return float(np.percentile(self.latencies_s, percent))


class Speaker(Protocol):
    """Sends one stream in real time."""

    async def __call__(self, pieces: Sequence[Recording], spoken: Sequence[float]) -> list[float]:
        """Send each piece when it was spoken, whatever is answered by then.

        Args:
            pieces: of 600 ms.
            spoken: when each ends, on the clock of the event loop.

        Returns:
            how long each answer took from then.
        """


async def run_streams(
    speak: Speaker, recordings: Sequence[Recording], streams: int, seconds: float, seed: int = 0
) -> Load:
    """Let streams begin at random within one piece and each send one every 600 ms.

    Args:
        speak: sends one of them.
        recordings: what is spoken, one after the other, from a place of each stream's own.
        seconds: length of each stream.
        seed: of the places.
    """
    audio = np.concatenate(recordings)
    rng = random.Random(f"{streams} {seed}")
    begin = asyncio.get_running_loop().time() + 0.5
    count = int(seconds / CHUNK_S)
    speakers = []
    for _ in range(streams):
        pieces = _pieces(audio, rng.randrange(len(audio)), count)
        first = begin + rng.random() * CHUNK_S
        speakers.append(speak(pieces, [first + (i + 1) * CHUNK_S for i in range(count)]))
    latencies = await asyncio.gather(*speakers)
    return Load(streams, [latency for stream in latencies for latency in stream])


async def load_triton(
    grpc_url: str,
    recordings: Sequence[Recording],
    streams: int,
    seconds: float,
    seed: int = 0,
) -> Load:
    """Run streams against Triton.

    Args:
        grpc_url: host:port.
        recordings, streams, seconds, seed: as in `run_streams`.
    """
    async with triton.InferenceServerClient(grpc_url) as client:

        async def speak(pieces: Sequence[Recording], spoken: Sequence[float]) -> list[float]:
            return await _speak_to_triton(client, pieces, spoken)

        return await run_streams(speak, recordings, streams, seconds, seed)


async def load_sherpa(
    url: str, recordings: Sequence[Recording], streams: int, seconds: float
) -> Load:
    """Run streams against sherpa-onnx's online websocket server.

    Args:
        url: of the websocket.
        recordings, streams, seconds: as in `run_streams`.
    """

    async def speak(pieces: Sequence[Recording], spoken: Sequence[float]) -> list[float]:
        return await _speak_to_sherpa(url, pieces, spoken)

    return await run_streams(speak, recordings, streams, seconds)


def _pieces(audio: Recording, start: int, count: int) -> list[Recording]:
    """Cut pieces from a place on, and from the beginning again where the audio ends."""
    usable = len(audio) - CHUNK_SAMPLES
    starts = [(start + index * CHUNK_SAMPLES) % usable for index in range(count)]
    return [audio[begin : begin + CHUNK_SAMPLES] for begin in starts]


async def _speak_to_triton(
    client: triton.InferenceServerClient, pieces: Sequence[Recording], spoken: Sequence[float]
) -> list[float]:
    loop = asyncio.get_running_loop()
    key = secrets.randbits(62) + 1

    async def requests() -> AsyncIterator[dict[str, Any]]:
        for index, piece in enumerate(pieces):
            await asyncio.sleep(max(spoken[index] - loop.time(), 0))
            yield {
                "model_name": STREAMING_MODEL,
                "inputs": _inputs(piece[None]),
                "sequence_id": key,
                "sequence_start": index == 0,
                "sequence_end": index == len(pieces) - 1,
            }

    latencies: list[float] = []
    async for _, error in client.stream_infer(requests()):
        if error is not None:
            raise error
        latencies.append(loop.time() - spoken[len(latencies)])
        if len(latencies) == len(pieces):
            break
    return latencies


async def _speak_to_sherpa(
    url: str, pieces: Sequence[Recording], spoken: Sequence[float]
) -> list[float]:
    """Stream over a connection of its own.

    sherpa-onnx answers when 61 frames are there, which the first piece does not fill: answer j
    comes after piece j + 1, and only the time from that piece counts.
    """
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    async with connect(url, proxy=None) as socket:

        async def send() -> None:
            for piece, when in zip(pieces, spoken, strict=True):
                await asyncio.sleep(max(when - loop.time(), 0))
                await socket.send(piece.tobytes())

        sender = asyncio.create_task(send())
        for when in spoken[1:]:
            await socket.recv()
            latencies.append(loop.time() - when)
        await sender
    return latencies


def _inputs(piece: Recording) -> list[triton.InferInput]:
    waveform = triton.InferInput("WAV", list(piece.shape), "FP32")
    waveform.set_data_from_numpy(piece)
    length = triton.InferInput("WAV_LENS", [1, 1], "INT32")
    length.set_data_from_numpy(np.array([[piece.shape[1]]], np.int32))
    return [waveform, length]
