"""Runs one function over many recordings from several threads, and times it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from lab.benchmark.workload import Recording

# Ways to use two or more cores: (threads of the recogniser, calls at a time).
LAYOUTS = ((2, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class Timing:
    """One run over all recordings.

    Attributes:
        wall_s: from the first start to the last answer.
        latencies_s: per recording, in the order of the recordings.
    """

    wall_s: float
    latencies_s: list[float]

    def latency_percentile_s(self, percent: float) -> float:
        """Return a percentile of the latencies."""
        return float(np.percentile(self.latencies_s, percent))


def run_concurrently(
    recognise: Callable[[Recording], object], recordings: Sequence[Recording], concurrency: int
) -> Timing:
    """Keep `concurrency` calls under way until every recording is done.

    Raises:
        Exception: whatever `recognise` raised first.
    """

    def timed(recording: Recording) -> float:
        begun = time.perf_counter()
        recognise(recording)
        return time.perf_counter() - begun

    with ThreadPoolExecutor(concurrency) as pool:
        begun = time.perf_counter()
        latencies = list(pool.map(timed, recordings))
        return Timing(time.perf_counter() - begun, latencies)
