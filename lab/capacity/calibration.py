"""What a machine takes, read from recorded measurements: the simulation's only numbers.

`docs/benchmarks/glue.json` and what `measure` writes have a stand-in for the encoder, whose time is
given; of an H200, `docs/capacity/h200.json` has loads from which the time of a run follows: it is
what a full batch and a half-full one took. Processor times are those of one load, and what else a
lone request takes, while nothing else happens, all take: that the other loads come out right is
what the comparison is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lab.benchmark.workload import (
    LOG_SPREAD,
    LONGEST_SECONDS,
    MEDIAN_SECONDS,
    SHORTEST_SECONDS,
)
from lab.capacity.load import simulate_load
from lab.capacity.machine import MachineSpec, Run

CLIENT, TRITON = "client", "tritonserver"
FRONT_END, ENCODER, SCORING = (
    "sensevoice_feature_extractor",
    "sensevoice_encoder",
    "sensevoice_scoring",
)


def audio_lengths_s(count: int, seed: int = 0) -> list[float]:
    """Return lengths as the benchmarks' recordings have them."""
    seconds = np.exp(np.random.default_rng(seed).normal(np.log(MEDIAN_SECONDS), LOG_SPREAD, count))
    lengths: list[float] = seconds.clip(SHORTEST_SECONDS, LONGEST_SECONDS).tolist()
    return lengths


def machine_of_glue(
    loads: Sequence[Mapping[str, Any]],
    run_s: float,
    max_batch: int,
    client_ms: float,
) -> MachineSpec:
    """Return the machine of `glue`.

    Args:
        loads: a lone request first; of the last but one the processor times count, `cpu_ms` of each
            process of the server for a second of audio.
        run_s: time of a run of the stand-in.
        max_batch: its rows at most.
        client_ms: the client's processor time for a second of audio.
    """
    used_s = {name: ms / 1000 for name, ms in loads[-2]["cpu_ms"].items()}
    # What the stand-in's process does for a row besides waiting comes on top of its wait.
    handing_over_s = used_s[ENCODER] * float(np.mean(audio_lengths_s(1000)))
    run = Run(run_s, handing_over_s, max_batch)
    return _machine({CLIENT: client_ms / 1000, **used_s}, run, loads[0])


def machine_of_gpu(record: Mapping[str, Any]) -> MachineSpec:
    """Return the machine of `h200.json`; its clients ran on cores of their own."""
    loads = {load["concurrency"]: load for load in record["loads"]}
    half, full = (_run_of(loads[number], record["mean_audio_s"]) for number in (64, 256))
    row_s = (full[1] - half[1]) / (full[0] - half[0])
    used = record["cores_used"]
    per_s = loads[used["at"]]["audio_per_s"]
    used_s = {name: cores / per_s for name, cores in used.items() if name != "at"}
    run = Run(half[1] - row_s * half[0], row_s, record["max_batch"])
    return _machine({CLIENT: 0.0, **used_s}, run, loads[1])


def _run_of(load: Mapping[str, Any], mean_audio_s: float) -> tuple[float, float]:
    """Return the mean rows of a run, and the time from one run to the next."""
    rows = load["mean_batch"]
    return rows, rows * mean_audio_s / load["audio_per_s"]


def _machine(used_s: Mapping[str, float], run: Run, lone: Mapping[str, Any]) -> MachineSpec:
    """Return a machine; client and `tritonserver` do half of their work on either way."""
    client_s, triton_s = used_s[CLIENT] / 2, used_s[TRITON] / 2
    spec = MachineSpec(
        {CLIENT: client_s, TRITON: triton_s, FRONT_END: used_s[FRONT_END]},
        {SCORING: used_s[SCORING], TRITON: triton_s, CLIENT: client_s},
        run,
    )
    without_s = simulate_load(spec, audio_lengths_s(16), 1).p50_s
    return replace(spec, passing_s=max(lone["p50_s"] - without_s, 0.0))
