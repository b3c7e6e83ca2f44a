"""Joins the requests of one call into as few runs of the graph as possible.

NumPy and a function that runs the graph; nothing of Triton, nothing of ONNX Runtime. One
request's answer never depends on its neighbours': requests are joined only where every shape
agrees, that of ragged inputs apart (`ort_ragged`), and if a joined run fails each of its requests
is run alone, so that only the bad one fails. (Triton's C++ backend fails the whole batch.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from ort_memory import concatenate
from ort_ragged import Concatenate, Ragged

Array: TypeAlias = NDArray[Any]
# (names of the wanted outputs, inputs by name) -> outputs in that order
Run: TypeAlias = Callable[[Sequence[str], Mapping[str, Array]], Sequence[Array]]


@dataclass
class Job:
    """One request.

    Attributes:
        inputs: arrays by name; with batching each has shape [rows, ...].
        outputs: names of the wanted outputs.
    """

    inputs: Mapping[str, Array]
    outputs: tuple[str, ...]


Result: TypeAlias = dict[str, Array] | Exception


@dataclass(frozen=True)
class BatchPlan:
    """How a model's requests may be joined.

    Attributes:
        batching: whether the first dimension is the batch (max_batch_size > 0).
        scalar_inputs: inputs that are scalars in the graph; clients send [rows, 1] or [1].
        scalar_outputs: outputs that are scalars in the graph, and the shape (without rows) in
            which Triton expects them.
        ragged: inputs that may differ in shape, and what is made of them.
        joins_lengths: whether requests whose ragged inputs differ in shape are joined. A GPU gains
            by it; on a CPU what is laid out beyond a row's end is computed for nothing.
        concatenate: joins the arrays of an input.
    """

    batching: bool
    scalar_inputs: frozenset[str] = frozenset()
    scalar_outputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ragged: Ragged = field(default_factory=Ragged)
    joins_lengths: bool = True
    concatenate: Concatenate = concatenate

    def split(self, jobs: Sequence[Job]) -> list[list[int]]:
        """Return which of the requests of one call may be run at once, in their order."""
        if self.joins_lengths or not self.ragged.inputs:
            return [list(range(len(jobs)))]
        groups: dict[object, list[int]] = {}
        for index, job in enumerate(jobs):
            shapes = tuple(
                array.shape[1:]
                for name, array in sorted(job.inputs.items())
                if name in self.ragged.inputs
            )
            groups.setdefault(shapes, []).append(index)
        return list(groups.values())


def run_jobs(
    jobs: Sequence[Job], run: Run, plan: BatchPlan, warn: Callable[[str], None]
) -> list[Result]:
    """Run the graph for all jobs.

    Args:
        jobs: the requests of one call.
        run: runs the graph.
        plan: what may be joined.
        warn: takes a sentence for the log when a joined run fails.

    Returns:
        For each job, in order, its outputs by name, or the exception that is its answer.
    """
    results: dict[int, Result] = {}
    prepared: dict[int, Job] = {}
    groups: dict[object, list[int]] = {}
    for index, job in enumerate(jobs):
        try:
            inputs = {
                name: _as_graph_input(name, array, name in plan.scalar_inputs)
                for name, array in job.inputs.items()
            }
            ready = Job(inputs, job.outputs)
            key = _group_key(ready, plan) or index
            prepared[index] = ready
            groups.setdefault(key, []).append(index)
        except Exception as error:  # this job's answer
            results[index] = error
    for indices in groups.values():
        members = [prepared[index] for index in indices]
        for index, result in zip(indices, _run_group(members, run, plan, warn), strict=True):
            results[index] = result
    return [results[index] for index in range(len(jobs))]


def _as_graph_input(name: str, array: Array, scalar: bool) -> Array:
    """Return the array as ONNX Runtime takes it; the same one unless it is text or a scalar.

    Triton has bytes where ONNX Runtime has str, and ones for the dims of a scalar.

    Raises:
        ValueError: text that is not UTF-8, or several values for a scalar.
    """
    if array.dtype == np.object_:
        try:
            text = [x.decode() if isinstance(x, bytes) else str(x) for x in array.reshape(-1)]
        except UnicodeDecodeError as error:
            raise ValueError(f"input '{name}': expected UTF-8 text, got {error.object!r}") from None
        decoded = np.empty(len(text), dtype=np.object_)
        decoded[:] = text
        array = decoded.reshape(array.shape)
    if scalar:
        values = array.reshape(-1)
        if values.size == 0 or not all(value == values[0] for value in values[1:]):
            raise ValueError(
                f"input '{name}': expected one value, which the graph applies to every row, "
                f"got {values.tolist()}"
            )
        return values[:1].reshape(())
    return array


def _group_key(job: Job, plan: BatchPlan) -> object | None:
    """Return a key: jobs with equal ones may be joined, those with None not at all."""
    if not plan.batching or any(name in plan.scalar_outputs for name in job.outputs):
        return None
    rows = {array.shape[:1] for name, array in job.inputs.items() if name not in plan.scalar_inputs}
    if len(rows) != 1:
        return None
    return tuple(
        (name, array.dtype.str, _what_must_agree(name, array, plan))
        for name, array in sorted(job.inputs.items())
    )


def _what_must_agree(name: str, array: Array, plan: BatchPlan) -> object:
    """Return what of an input is equal in all jobs that are joined."""
    if name in plan.scalar_inputs:
        return array.item()
    return None if plan.joins_lengths and name in plan.ragged.inputs else array.shape[1:]


def _rows(job: Job, plan: BatchPlan) -> int:
    """Return how many rows a job has; 1 if all its inputs are scalars."""
    return next(
        (len(array) for name, array in job.inputs.items() if name not in plan.scalar_inputs), 1
    )


def _run_group(
    jobs: Sequence[Job], run: Run, plan: BatchPlan, warn: Callable[[str], None]
) -> list[Result]:
    """Run jobs of one key joined, or each alone if that fails."""
    if len(jobs) == 1:
        return [_run_alone(jobs[0], run, plan)]
    try:
        return [*_run_joined(jobs, run, plan)]
    except Exception as error:  # whatever it is, it must not reach the jobs that are good
        warn(f"a batch of {len(jobs)} requests failed, each is run alone: {error}")
    return [_run_alone(job, run, plan) for job in jobs]


def _run_alone(job: Job, run: Run, plan: BatchPlan) -> Result:
    """Run one job, without copying its inputs."""
    try:
        outputs = dict(zip(job.outputs, run(job.outputs, _feed([job], plan)), strict=True))
        for name, shape in plan.scalar_outputs.items():
            if name in outputs and outputs[name].ndim == 0:
                rows = (_rows(job, plan),) if plan.batching else ()
                outputs[name] = np.full(rows + shape, outputs[name])
        return outputs
    except Exception as error:  # this job's answer
        return error


def _feed(jobs: Sequence[Job], plan: BatchPlan) -> dict[str, Array]:
    """Return the graph's inputs for jobs that are run at once; those of a lone one uncopied."""
    inputs = {
        name: array
        if name in plan.scalar_inputs
        else plan.ragged.join(name, [job.inputs[name] for job in jobs], plan.concatenate)
        for name, array in jobs[0].inputs.items()
    }
    return inputs | plan.ragged.made([job.inputs for job in jobs])


def _run_joined(jobs: Sequence[Job], run: Run, plan: BatchPlan) -> list[dict[str, Array]]:
    """Run several jobs at once.

    Raises:
        ValueError: an output does not have a row for each row of the inputs.
        Exception: what running the graph raises.
    """
    wanted = list(dict.fromkeys(name for job in jobs for name in job.outputs))
    ends = np.cumsum([_rows(job, plan) for job in jobs])
    outputs = dict(zip(wanted, run(wanted, _feed(jobs, plan)), strict=True))
    for name, array in outputs.items():
        if array.shape[:1] != (ends[-1],):
            raise ValueError(f"output '{name}': expected {ends[-1]} rows, got {array.shape}")
    return [
        # a part of the first axis stays contiguous
        {name: outputs[name][start:end] for name in job.outputs}
        for job, start, end in zip(jobs, [0, *ends[:-1]], ends, strict=True)
    ]
