"""Where a server's time and memory go, by its own statistics."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

PHASES = ("queue", "compute_input", "compute_infer", "compute_output")


@dataclass(frozen=True)
class ModelStatistics:
    """What one model did between two looks.

    Attributes:
        inferences: rows of requests.
        executions: batches.
        seconds: summed over requests, for each of `PHASES`.
    """

    inferences: int
    executions: int
    seconds: dict[str, float]

    @property
    def mean_batch(self) -> float:
        """Rows per batch, 0 if it did nothing."""
        return self.inferences / self.executions if self.executions else 0.0


def read_statistics(http_url: str) -> dict[str, ModelStatistics]:
    """Read the counters of all models.

    Args:
        http_url: host:port.
    """
    with urlopen(f"http://{http_url}/v2/models/stats", timeout=10) as response:
        models = json.load(response)["model_stats"]
    return {model["name"]: _parse(model) for model in models}


def _parse(model: dict[str, Any]) -> ModelStatistics:
    times = model["inference_stats"]
    return ModelStatistics(
        int(model["inference_count"]),
        int(model["execution_count"]),
        {phase: int(times[phase]["ns"]) / 1e9 for phase in PHASES},
    )


def difference(
    after: dict[str, ModelStatistics], before: dict[str, ModelStatistics]
) -> dict[str, ModelStatistics]:
    """Return what happened between two readings, for the models that did something."""
    changes = {
        name: ModelStatistics(
            now.inferences - before[name].inferences,
            now.executions - before[name].executions,
            {phase: now.seconds[phase] - before[name].seconds[phase] for phase in PHASES},
        )
        for name, now in after.items()
    }
    return {name: change for name, change in changes.items() if change.inferences}


def memory_mb(server_pid: int) -> dict[str, float]:
    """Return proportional memory (PSS, shared pages counted once) of the server and its stubs."""
    server = psutil.Process(server_pid)
    result = {"tritonserver": server.memory_full_info().pss / 2**20}
    for child in server.children(recursive=True):
        name = Path(child.cmdline()[1]).parts[-3]  # a stub's first argument: .../model/1/model.py
        result[name] = result.get(name, 0) + child.memory_full_info().pss / 2**20
    return result
