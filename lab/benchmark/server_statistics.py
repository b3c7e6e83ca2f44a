"""Where a server's time and memory go, by its own statistics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

COUNTED_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class ModelStatistics:
    """What one model did between two looks.

    Attributes:
        inferences: rows of requests.
        executions: batches.
        total_s: from each request's start to its end, summed over requests.
        queue_s: part of that spent waiting.
    """

    inferences: int
    executions: int
    total_s: float
    queue_s: float

    @property
    def mean_batch(self) -> float:
        """Rows per batch, 0 if it did nothing."""
        return self.inferences / self.executions if self.executions else 0.0


def read_statistics(http_url: str) -> dict[str, ModelStatistics]:
    """Read the counters of all models.

    Args:
        http_url: host:port.
    """
    with urlopen(f"http://{http_url}/v2/models/stats", timeout=60) as response:
        models = json.load(response)["model_stats"]
    return {model["name"]: _parse(model) for model in models}


def _parse(model: dict[str, Any]) -> ModelStatistics:
    times = model["inference_stats"]
    return ModelStatistics(
        int(model["inference_count"]),
        int(model["execution_count"]),
        int(times["success"]["ns"]) / 1e9,
        int(times["queue"]["ns"]) / 1e9,
    )


def difference(
    after: dict[str, ModelStatistics], before: dict[str, ModelStatistics]
) -> dict[str, ModelStatistics]:
    """Return what happened between two readings, for the models that did something."""
    changes = {
        name: ModelStatistics(
            now.inferences - before[name].inferences,
            now.executions - before[name].executions,
            now.total_s - before[name].total_s,
            now.queue_s - before[name].queue_s,
        )
        for name, now in after.items()
    }
    return {name: change for name, change in changes.items() if change.inferences}


def wait_for_difference(
    http_url: str,
    before: dict[str, ModelStatistics],
    names: Sequence[str],
    inferences: int,
) -> dict[str, ModelStatistics]:
    """Return what happened since `before`, once it is counted.

    Triton counts a batch when `execute` has returned, which may be after the answers.

    Args:
        http_url: host:port.
        before: an earlier reading.
        names: models to wait for.
        inferences: rows that each of them has answered at least.

    Raises:
        TimeoutError: one has answered fewer.
    """
    deadline = time.monotonic() + COUNTED_TIMEOUT_S
    while True:
        done = difference(read_statistics(http_url), before)
        if all(name in done and done[name].inferences >= inferences for name in names):
            return done
        if time.monotonic() > deadline:
            found = {name: done.get(name) for name in names}
            raise TimeoutError(f"expected {inferences} inferences, counted {found}")
        time.sleep(0.05)


@dataclass(frozen=True)
class Share:
    """A model's part in the time of a request, in ms per request."""

    model: str
    mean_batch: float
    queue_ms: float
    compute_ms: float


def where_time_goes(models: dict[str, ModelStatistics], ensemble: str, encoder: str) -> list[Share]:
    """Split an ensemble's time over its parts.

    `backends/onnxruntime` answers from worker threads, whose time Triton does not see. So the
    encoder's compute time is what the ensemble's total leaves when all else is taken away.
    """
    parts = {name: counted for name, counted in models.items() if name != ensemble}
    total = models[ensemble]
    others = sum(counted.total_s for name, counted in parts.items() if name != encoder)
    encoder_s = total.total_s - others - parts[encoder].queue_s
    return [
        Share(
            name,
            counted.mean_batch,
            1000 * counted.queue_s / total.inferences,
            1000
            * (encoder_s if name == encoder else counted.total_s - counted.queue_s)
            / total.inferences,
        )
        for name, counted in parts.items()
    ]


def memory_mb(server_pid: int) -> dict[str, float]:
    """Return proportional memory (PSS, shared pages counted once) of the server and its stubs."""
    return _by_process(server_pid, lambda process: process.memory_full_info().pss / 2**20)


def cpu_seconds(server_pid: int) -> dict[str, float]:
    """Return the CPU time that the server and its stubs have used so far."""
    return _by_process(server_pid, lambda process: sum(process.cpu_times()[:2]))


def _by_process(server_pid: int, read: Callable[[psutil.Process], float]) -> dict[str, float]:
    server = psutil.Process(server_pid)
    result = {"tritonserver": read(server)}
    for child in server.children(recursive=True):
        try:
            arguments = child.cmdline()
            # A stub's first argument: .../model/1/model.py
            is_stub = "triton_python_backend_stub" in "".join(arguments[:1])
            name = Path(arguments[1]).parts[-3] if is_stub else child.name()
            result[name] = result.get(name, 0) + read(child)
        except psutil.NoSuchProcess:  # such as an ffmpeg of a gateway's
            continue
    return result
