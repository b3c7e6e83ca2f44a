"""Loads on simulated machines: so many requests at a time, and how long each took."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import simpy

from lab.capacity.machine import Machine, MachineSpec


@dataclass(frozen=True)
class SimulatedLoad:
    """What came of a load.

    Attributes:
        audio_per_s: seconds of audio answered per second.
        p50_s, p95_s: latency.
        mean_batch: rows of a run.
    """

    audio_per_s: float
    p50_s: float
    p95_s: float
    mean_batch: float


def simulate_load(spec: MachineSpec, lengths_s: Sequence[float], concurrency: int) -> SimulatedLoad:
    """Send recordings to one machine, each next one when an answer has come.

    Args:
        spec: of the machine.
        lengths_s: of the recordings.
        concurrency: requests at a time.
    """
    env = simpy.Environment()
    machine = Machine(env, spec)
    remaining = iter(lengths_s)
    latencies: list[float] = []

    def send() -> None:
        audio_s, begun_s = next(remaining, None), env.now

        def told(_: bool) -> None:
            latencies.append(env.now - begun_s)
            send()

        if audio_s is not None:
            machine.serve(audio_s, told)

    for _ in range(concurrency):
        send()
    return _answered(env, machine, lengths_s, latencies)


def simulate_arrivals(
    spec: MachineSpec, lengths_s: Sequence[float], per_s: float, seed: int = 0
) -> SimulatedLoad:
    """Send recordings to one machine when they come, whatever is under way: a Poisson process.

    Args:
        spec: of the machine.
        lengths_s: of the recordings.
        per_s: how many come in a second.
        seed: of when they do.
    """
    env = simpy.Environment()
    machine = Machine(env, spec)
    latencies: list[float] = []

    def send(audio_s: float) -> None:
        begun_s = env.now
        machine.serve(audio_s, lambda _: latencies.append(env.now - begun_s))

    def arrivals() -> Generator[simpy.Event, None, None]:
        for audio_s, pause_s in zip(lengths_s, pauses_s(per_s, len(lengths_s), seed), strict=True):
            yield env.timeout(pause_s)
            send(audio_s)

    env.process(arrivals())
    return _answered(env, machine, lengths_s, latencies)


def pauses_s(per_s: float, count: int, seed: int) -> list[float]:
    """Return the pauses before each of so many requests that come by themselves."""
    pauses: list[float] = np.random.default_rng(seed).exponential(1 / per_s, count).tolist()
    return pauses


def _answered(
    env: simpy.Environment, machine: Machine, lengths_s: Sequence[float], latencies: list[float]
) -> SimulatedLoad:
    """Let the time run until all is answered."""
    while len(latencies) < len(lengths_s):
        env.step()
    return SimulatedLoad(
        sum(lengths_s) / env.now,
        float(np.percentile(latencies, 50)),
        float(np.percentile(latencies, 95)),
        float(np.mean(machine.batches)),
    )
