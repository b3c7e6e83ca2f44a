"""Triton's counters, read when they are complete."""

from __future__ import annotations

from asr_server.run import TritonServer
from lab.benchmark.server_statistics import ModelStatistics, wait_for_difference


def wait_for_inferences(
    server: TritonServer, before: dict[str, ModelStatistics], model: str, count: int
) -> ModelStatistics:
    """Return what a model has done since `before`, once that is at least `count` rows."""
    return wait_for_difference(server.http_url, before, (model,), count)[model]
