"""Triton's counters, read when they are complete."""

from __future__ import annotations

import time
from collections.abc import Mapping

from scripts.benchmark.server_statistics import ModelStatistics, difference, read_statistics
from scripts.triton_server import TritonServer

TIMEOUT_S = 120.0


def wait_for_inferences(
    server: TritonServer, before: Mapping[str, ModelStatistics], model: str, count: int
) -> ModelStatistics:
    """Return what a model has done since `before`, once that is at least `count` rows.

    Triton counts a batch when `execute` has returned, which may be after the answers.

    Raises:
        TimeoutError: it has done less.
    """
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        done = difference(read_statistics(server.http_url), dict(before)).get(model)
        if done is not None and done.inferences >= count:
            return done
        if time.monotonic() > deadline:
            raise TimeoutError(f"{model}: expected {count} inferences, counted {done}")
        time.sleep(0.05)
