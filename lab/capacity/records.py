"""What was measured, of which plans and simulations are made."""

from __future__ import annotations

import json
from typing import Any

from asr_server.places import ROOT

RECORDS = ROOT / "docs" / "capacity"
GLUE = ROOT / "docs" / "benchmarks" / "glue.json"
STREAMING = ROOT / "docs" / "benchmarks" / "streaming.json"
GPU_BENCHMARK = STREAMING.with_name("gpu.json")


def gpu_loads(model: str = "sensevoice") -> list[dict[str, Any]]:
    """Return the loads of a recogniser that `benchmark gpu` measured."""
    results = json.loads(GPU_BENCHMARK.read_text(encoding="utf-8"))["results"]
    loads: list[dict[str, Any]] = results["server"][model]
    return loads


def h200_record() -> dict[str, Any]:
    """Return what was measured on an H200 before, with one run at a time; streams in fp32, too."""
    record: dict[str, Any] = json.loads((RECORDS / "h200.json").read_text(encoding="utf-8"))
    return record


def streaming_record() -> dict[str, Any]:
    """Return what was measured of the full-size streaming model on two cores."""
    results = json.loads(STREAMING.read_text(encoding="utf-8"))["results"]
    record: dict[str, Any] = results["paraformer_online-full-seed0"]
    return record
