"""Live streams on one machine, simulated: how late the text of a piece of speech is.

Each stream sends a piece of 600 ms every 600 ms, from a moment of its own on. A run of encoder and
decoder takes, when one of its places is free, its share of what waits: as much as each other place.
How long it takes by its pieces is what bare sessions took that ran as many at a time, so that the
runs share the machine's cores in the measurement already.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import simpy

PIECE_S = 0.6
_MAX_BATCH = 32
_ARRANGEMENTS = 8  # of the streams' moments: with few streams it matters which
_SECONDS = 60.0


@dataclass(frozen=True)
class StreamsSpec:
    """What a machine was measured to take.

    Attributes:
        pieces, run_s: how long a run takes by its pieces; between them in a straight line, and on.
        places: runs at a time.
        passing_s: that a piece and its text are on their way.
    """

    pieces: tuple[int, ...]
    run_s: tuple[float, ...]
    places: int
    passing_s: float = 0.0

    def seconds(self, pieces: int) -> float:
        """Return the time of a run."""
        if pieces > self.pieces[-1]:
            slope_s = (self.run_s[-1] - self.run_s[-2]) / (self.pieces[-1] - self.pieces[-2])
            return self.run_s[-1] + slope_s * (pieces - self.pieces[-1])
        return float(np.interp(pieces, self.pieces, self.run_s))


@dataclass(frozen=True)
class SimulatedStreams:
    """What came of it.

    Attributes:
        p50_s, p95_s: from when a piece was spoken to its text.
        mean_batch: pieces of a run.
    """

    p50_s: float
    p95_s: float
    mean_batch: float


def machine_of_streams(record: Mapping[str, Any]) -> StreamsSpec:
    """Return the machine of what `benchmark streaming` recorded of a model.

    The runs are those of its bare sessions; what else a piece takes is what the median of the
    smallest load took beside them.
    """
    places = max(each["calls"] for each in record["bare"])
    runs = [each for each in record["bare"] if each["calls"] == places]
    spec = StreamsSpec(
        tuple(each["batch"] for each in runs),
        tuple(each["encoder_s"] + each["decoder_s"] for each in runs),
        places,
    )
    least = record["loads"][0]
    without = simulate_streams(spec, least["streams"])
    return replace(spec, passing_s=max(least["p50_s"] - without.p50_s, 0.0))


def simulate_streams(spec: StreamsSpec, streams: int, seed: int = 0) -> SimulatedStreams:
    """Let so many streams speak for a while, several times."""
    random = np.random.default_rng(seed)
    latencies: list[float] = []
    batches: list[int] = []
    for _ in range(_ARRANGEMENTS):
        machine = _Machine(spec, latencies, batches)
        for begin_s in random.uniform(0, PIECE_S, streams):
            machine.env.process(machine.speak(float(begin_s)))
        machine.env.run(until=_SECONDS)
    p50_s, p95_s = np.percentile(latencies, [50, 95])
    return SimulatedStreams(float(p50_s), float(p95_s), float(np.mean(batches)))


class _Machine:
    """A machine at work; it adds to latencies and batches."""

    def __init__(self, spec: StreamsSpec, latencies: list[float], batches: list[int]) -> None:
        self.env = simpy.Environment()
        self._spec, self._latencies, self._batches = spec, latencies, batches
        self._waiting: deque[float] = deque()  # when each was spoken
        self._free = spec.places

    def speak(self, begin_s: float) -> Generator[simpy.Event, None, None]:
        yield self.env.timeout(begin_s)
        while True:
            self._waiting.append(self.env.now)
            self._run()
            yield self.env.timeout(PIECE_S)

    def _run(self) -> None:
        """Take what waits, as far as there are places."""
        while self._free and self._waiting:
            count = min(math.ceil(len(self._waiting) / self._spec.places), _MAX_BATCH)
            pieces = [self._waiting.popleft() for _ in range(count)]
            self._free -= 1
            self._batches.append(count)
            ended = self.env.timeout(self._spec.seconds(count))
            ended.callbacks.append(partial(self._end, pieces))

    def _end(self, pieces: list[float], _: simpy.Event) -> None:
        self._latencies += [self.env.now - spoken_s + self._spec.passing_s for spoken_s in pieces]
        self._free += 1
        self._run()
