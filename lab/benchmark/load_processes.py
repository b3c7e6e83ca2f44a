"""Clients in processes of their own, which load a server for a stated time.

One process sends some hundreds of requests per second, far fewer than a GPU answers. Each process
is started once, gets its share of the recordings, and then loads a server as often as it is told.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from asr_client import AsyncClient
from asr_contract import SAMPLE_RATE
from lab.benchmark.realtime import load_triton
from lab.benchmark.workload import Recording

_LEAD_S = 0.5  # for all processes to have heard of it


@dataclass(frozen=True)
class Answered:
    """What was answered within the measured time.

    Attributes:
        audio_s: seconds of audio.
        latencies_s: of each request.
        failed: what the requests that failed said.
    """

    audio_s: float
    latencies_s: list[float]
    failed: list[str]

    def percentile_s(self, percent: float) -> float:
        """Return a percentile of the latencies, infinite where nothing was answered."""
        return float(np.percentile(self.latencies_s or [np.inf], percent))


class LoadProcesses:
    """The processes; a context manager, which ends them.

    Args:
        recordings: float32 at 16 kHz each, dealt out to the processes.
        count: of processes.
    """

    def __init__(self, recordings: Sequence[Recording], count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ends: list[Connection] = []
        self._processes = []
        for index in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, recordings[index::count], index), daemon=True
            )
            process.start()
            self._ends.append(ours)
            self._processes.append(process)

    def __enter__(self) -> LoadProcesses:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes."""
        for process in self._processes:
            process.terminate()
            process.join()

    def recognise(
        self,
        grpc_url: str,
        model: str,
        concurrency: int,
        seconds: float,
        length_s: float | None = None,
    ) -> Answered:
        """Keep so many requests under way, each next one when an answer has come.

        Args:
            grpc_url: host:port.
            model: the client's name of it.
            concurrency: requests at a time, of all processes.
            seconds: time that is measured; what is answered later is waited for and not counted.
            length_s: of each request; None leaves the recordings as long as they are.
        """
        begin = time.monotonic() + _LEAD_S
        return self._all(_recognise, concurrency, grpc_url, model, begin, begin + seconds, length_s)

    def stream(self, grpc_url: str, streams: int, seconds: float) -> Answered:
        """Let so many streams speak at real speed; latencies are those of every piece.

        Args:
            grpc_url: host:port.
            streams: at a time, of all processes.
            seconds: length of each stream.
        """
        return self._all(_stream, streams, grpc_url, seconds)

    def _all(self, what: Callable[..., Any], number: int, *arguments: object) -> Answered:
        count = len(self._ends)
        told = []
        for index, end in enumerate(self._ends):
            share = number // count + (index < number % count)
            if share:
                end.send((what, share, arguments))
                told.append(end)
        parts: list[Answered] = []
        for end in told:
            part = end.recv()
            if isinstance(part, Exception):
                raise part
            parts.append(part)
        return Answered(
            sum(part.audio_s for part in parts),
            [latency for part in parts for latency in part.latencies_s],
            [failure for part in parts for failure in part.failed],
        )


def _serve(end: Connection, recordings: Sequence[Recording], seed: int) -> None:
    """Do what is told until the other end is closed."""
    while True:
        try:
            what, number, arguments = end.recv()
        except EOFError:
            return
        try:
            end.send(asyncio.run(what(recordings, seed, number, *arguments)))
        except Exception as error:  # it is the caller's
            end.send(RuntimeError(f"{type(error).__name__}: {error}"))


async def _recognise(
    recordings: Sequence[Recording],
    _seed: int,
    concurrency: int,
    grpc_url: str,
    model: str,
    begin: float,
    end: float,
    length_s: float | None,
) -> Answered:
    if length_s is not None:
        samples_each = int(length_s * SAMPLE_RATE)
        recordings = [np.resize(recording, samples_each) for recording in recordings]
    endless = itertools.cycle(recordings)
    answered = Answered(0.0, [], [])
    samples = 0
    async with AsyncClient(f"grpc://{grpc_url}", timeout_s=300) as client:

        async def work() -> None:
            nonlocal samples
            while (sent := time.monotonic()) < end:
                recording = next(endless)
                try:
                    await client.transcribe(recording, model=model, sample_rate=SAMPLE_RATE)
                except Exception as error:  # counted: what fails is a result, too
                    answered.failed.append(f"{type(error).__name__}: {error}")
                    continue
                now = time.monotonic()
                if begin <= now <= end:
                    samples += len(recording)
                    answered.latencies_s.append(now - sent)

        await asyncio.gather(*(work() for _ in range(concurrency)))
    return Answered(samples / SAMPLE_RATE, answered.latencies_s, answered.failed)


async def _stream(
    recordings: Sequence[Recording], seed: int, streams: int, grpc_url: str, seconds: float
) -> Answered:
    load = await load_triton(grpc_url, recordings, streams, seconds, seed)
    return Answered(streams * seconds, load.latencies_s, [])
