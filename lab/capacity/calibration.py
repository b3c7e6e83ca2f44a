"""What a machine takes, read from recorded measurements: the simulation's only numbers.

`docs/benchmarks/glue.json` and what `measure` writes have a stand-in for the encoder, whose time is
given; of an H200, `docs/benchmarks/gpu.json` and `docs/capacity/h200.json`, of the version before,
have loads from which the time of a run follows: a straight line through what their batches took.
Processor times are those of one load, and what else a lone request takes, while nothing else
happens, all take: that the latencies of all loads come out right is what the comparison is about.
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
from lab.capacity.records import gpu_loads

# What `benchmark gpu` served on 16 cores: rows of a run and runs at a time, of each encoder;
# processes of each front end and scoring.
_BENCHMARKED = {"max_batch": 128, "runs": 2, "processes": 2}

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


def gpu_record(model: str) -> dict[str, Any]:
    """Return what `benchmark gpu` measured of a recogniser, in the form of `h200.json`."""
    loads = gpu_loads(model)
    busy = loads[-2]["load"]
    parts = {TRITON: TRITON, FRONT_END: f"{model}_feature_extractor", SCORING: f"{model}_scoring"}
    used = {name: busy["cpu_ms"][of] / 1000 * busy["audio_per_s"] for name, of in parts.items()}
    return {
        **_BENCHMARKED,
        "mean_audio_s": float(np.mean(audio_lengths_s(4096))),
        "cores_used": {"at": busy["concurrency"], **used},
        "loads": [{**each["load"], "mean_batch": each["mean_batch"]} for each in loads],
    }


def machine_of_gpu(record: Mapping[str, Any]) -> MachineSpec:
    """Return the machine of a record of an H200; its clients ran on cores of their own."""
    at_a_time, loads = record["runs"], {load["concurrency"]: load for load in record["loads"]}
    batches = [load for load in loads.values() if load["concurrency"] > 1]
    audio_s = np.array([load["mean_batch"] * record["mean_audio_s"] for load in batches])
    # The encoder is never without work. What counts is a share of the time, so that the line passes
    # short runs as closely as long ones.
    run_s = at_a_time * audio_s / [load["audio_per_s"] for load in batches]
    second_s, fixed_s = map(float, np.polyfit(audio_s, run_s, 1, w=1 / run_s))
    used = record["cores_used"]
    per_s = loads[used["at"]]["audio_per_s"]
    used_s = {name: cores / per_s for name, cores in used.items() if name != "at"}
    run = Run(fixed_s, 0.0, record["max_batch"], at_a_time, second_s)
    return _machine({CLIENT: 0.0, **used_s}, run, loads[1], record["processes"])


def _machine(
    used_s: Mapping[str, float], run: Run, lone: Mapping[str, Any], processes: int = 1
) -> MachineSpec:
    """Return a machine; client and `tritonserver` do half of their work on either way."""
    client_s, triton_s = used_s[CLIENT] / 2, used_s[TRITON] / 2
    spec = MachineSpec(
        {CLIENT: client_s, TRITON: triton_s, FRONT_END: used_s[FRONT_END]},
        {SCORING: used_s[SCORING], TRITON: triton_s, CLIENT: client_s},
        run,
        processes={FRONT_END: processes, SCORING: processes},
    )
    without_s = simulate_load(spec, audio_lengths_s(16), 1).p50_s
    return replace(spec, passing_s=max(lone["p50_s"] - without_s, 0.0))
