"""The simulation beside the measurements that it is to reproduce."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.capacity.calibration import (
    audio_lengths_s,
    gpu_record,
    machine_of_glue,
    machine_of_gpu,
)
from lab.capacity.load import SimulatedLoad, simulate_arrivals, simulate_load
from lab.capacity.machine import MachineSpec
from lab.capacity.records import GLUE, RECORDS, STREAMING, h200_record, streaming_record
from lab.capacity.streams import SimulatedStreams, machine_of_streams, simulate_streams

_GPU_LOAD_S = 5.0  # of each load of `benchmark gpu`
_CLIENT_MS = 0.3  # of glue.json, which has none: as in here.json


@dataclass(frozen=True)
class Compared:
    """One measured load and its simulation.

    Attributes:
        source: the record.
        load: "64 at a time", "30 a second", or "12 streams".
        measured, simulated: p50 and p95 of the latency, in s.
    """

    source: str
    load: str
    measured: tuple[float, float]
    simulated: tuple[float, float]

    @property
    def deviations(self) -> tuple[float, float]:
        """By how much the simulated latencies are longer, as a share."""
        p50, p95 = (
            simulated / measured - 1
            for measured, simulated in zip(self.measured, self.simulated, strict=True)
        )
        return p50, p95


def compare_all() -> Iterator[Compared]:
    """Simulate every recorded load."""
    glue = json.loads(GLUE.read_text(encoding="utf-8"))["results"]["sensevoice"]
    spec = machine_of_glue(glue["loads"], glue["run_s"], glue["max_batch"], _CLIENT_MS)
    yield from _compare("glue.json", spec, glue)
    for path in sorted(RECORDS.glob("here-*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        yield from _compare(path.name, machine_of_record(record), record)
    for source, record in {
        "gpu.json, sensevoice": gpu_record("sensevoice"),
        "gpu.json, paraformer": gpu_record("paraformer"),
        "h200.json": h200_record(),
    }.items():
        yield from _compare(source, machine_of_gpu(record), record, _GPU_LOAD_S)
    record = streaming_record()
    streams = machine_of_streams(record)
    for load in record["loads"]:
        simulated = simulate_streams(streams, load["streams"])
        yield _compared(STREAMING.name, f"{load['streams']} streams", load, simulated)


def machine_of_record(record: dict[str, Any]) -> MachineSpec:
    """Return the machine of what `measure` wrote."""
    client_ms = record["loads"][-2]["client_ms"]
    return machine_of_glue(record["loads"], record["run_s"], record["max_batch"], client_ms)


def _compare(
    source: str, spec: MachineSpec, record: dict[str, Any], load_s: float = 0.0
) -> Iterator[Compared]:
    """Simulate a record's loads, with as many requests as there were.

    Args:
        source: its name.
        spec: the machine.
        record: what was measured.
        load_s: how long each load took; 0 for eight requests for each at a time.
    """
    for load in record["loads"]:
        number = load["concurrency"]
        requests = int(load_s * load["audio_per_s"] / record["mean_audio_s"]) if load_s else 0
        lengths_s = audio_lengths_s(requests or max(16, 8 * number))
        simulated = simulate_load(spec, lengths_s, number)
        yield _compared(source, f"{number} at a time", load, simulated)
    for load in record.get("arrivals", []):
        lengths_s = audio_lengths_s(load["requests"])
        simulated = simulate_arrivals(spec, lengths_s, load["per_s"])
        yield _compared(source, f"{load['per_s']:g} a second", load, simulated)


def _compared(
    source: str, name: str, load: dict[str, Any], simulated: SimulatedLoad | SimulatedStreams
) -> Compared:
    measured = (load["p50_s"], load["p95_s"])
    return Compared(source, name, measured, (simulated.p50_s, simulated.p95_s))
