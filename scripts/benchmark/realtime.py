"""Streams that speak at real speed, and how long each piece of audio waits for its answer."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tritonclient.grpc.aio as triton

from asr_core.fbank import SAMPLE_RATE
from scripts.benchmark.bare_streaming import CHUNK_S
from scripts.benchmark.workload import Recording

MODEL = "streaming_paraformer"
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


async def run_streams(
    grpc_url: str, recordings: Sequence[Recording], streams: int, seconds: float
) -> Load:
    """Let streams begin at random within one piece and each send one every 600 ms.

    Args:
        grpc_url: host:port.
        recordings: what is spoken, one after the other, from a place of each stream's own.
        seconds: length of each stream.
    """
    audio = np.concatenate(recordings)
    rng = random.Random(streams)
    begin = asyncio.get_running_loop().time() + 0.5
    async with triton.InferenceServerClient(grpc_url) as client:
        speakers = [
            _speak(
                client,
                np.roll(audio, -rng.randrange(len(audio))),
                begin + rng.random() * CHUNK_S,
                int(seconds / CHUNK_S),
            )
            for _ in range(streams)
        ]
        latencies = await asyncio.gather(*speakers)
    return Load(streams, [latency for stream in latencies for latency in stream])


async def _speak(
    client: triton.InferenceServerClient, audio: Recording, begin: float, pieces: int
) -> list[float]:
    """Send one stream; a late answer delays what follows, as it does for a listener."""
    loop = asyncio.get_running_loop()
    key = secrets.randbits(62) + 1
    latencies = []
    for index in range(pieces):
        spoken = begin + (index + 1) * CHUNK_S
        await asyncio.sleep(max(spoken - loop.time(), 0))
        start = index * CHUNK_SAMPLES
        piece = audio.take(range(start, start + CHUNK_SAMPLES), mode="wrap")[None]
        await client.infer(
            MODEL,
            _inputs(piece),
            sequence_id=key,
            sequence_start=index == 0,
            sequence_end=index == pieces - 1,
        )
        latencies.append(loop.time() - spoken)
    return latencies


def _inputs(piece: Recording) -> list[triton.InferInput]:
    waveform = triton.InferInput("WAV", list(piece.shape), "FP32")
    waveform.set_data_from_numpy(piece)
    length = triton.InferInput("WAV_LENS", [1, 1], "INT32")
    length.set_data_from_numpy(np.array([[piece.shape[1]]], np.int32))
    return [waveform, length]
