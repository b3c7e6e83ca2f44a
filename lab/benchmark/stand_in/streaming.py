"""Streaming Paraformer's encoder and decoder that cost what a GPU's do: a fixed time for a run.

Triton loads this file in the place of either graph, for the benchmark `glue`. It is the Python-based
backend itself, as it works on a GPU, but for its session. Tensors have the size of the full
model's, since moving them is part of what is measured; a token fires every 240 ms.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN = 512
CANDIDATES = 8
ALPHA = 0.25  # of a row of 60 ms
FIRST_ID, IDS = 30, 300  # of the embedded vocabulary


def _parameters(args: Mapping[str, str]) -> dict[str, str]:
    """Return the model's own parameters."""
    parameters = json.loads(args["model_config"])["parameters"]
    return {name: value["string_value"] for name, value in parameters.items()}


class StandIn:
    """Waits in the place of a session, and writes down how many rows it had."""

    def __init__(self, args: Mapping[str, str]) -> None:
        values = _parameters(args)
        self.run_s = float(values["run_s"])
        self.runs_file = Path(values["runs_file"])
        self.outputs = encode if args["model_name"] == "streaming_encoder" else decode

    def run(self, names: Sequence[str], inputs: Mapping[str, Any], _: object) -> list[Any]:
        """Take the time of a run; the outputs are new arrays, as ONNX Runtime's are."""
        begun = time.monotonic()
        outputs = self.outputs(inputs)
        with self.runs_file.open("a", encoding="utf-8") as runs:
            print(len(outputs[names[0]]), file=runs)
        time.sleep(max(0.0, self.run_s - (time.monotonic() - begun)))
        return [outputs[name] for name in names]


class TritonPythonModel:
    """The backend's model with a stand-in for its session."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Make what serves an instance on a GPU."""
        folder = Path(_parameters(args)["backend"])
        sys.path.append(str(folder))
        from ort_batch import BatchPlan
        from ort_memory import keep_freed_memory
        from ort_workers import Turns, Workers
        from ort_shared import Sessions

        spec = spec_from_file_location("onnxruntime_backend", folder / "model.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        keep_freed_memory()
        session = StandIn(args)
        self.served = module.TritonPythonModel()
        self.served._name = args["model_name"]
        self.served._sessions = Sessions(Path(), None, session, session)
        self.served._run_options = None
        self.served._workers = Workers(1, ahead=False)
        self.served._turns, self.served._runs = Turns(), 1
        self.served._plan = BatchPlan(batching=True)
        self.execute = self.served.execute

    def execute(self, requests: Sequence[Any]) -> None:
        """Stand for the backend's until it is there."""

    def finalize(self) -> None:
        """Wait for the last answers."""
        self.served.finalize()


def encode(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return hidden rows, and weights with which a token fires every fourth row."""
    shape = inputs["positions"].shape
    return {
        "hidden": np.zeros((*shape, HIDDEN), np.float32),
        "alphas": np.full(shape, ALPHA, np.float32),
    }


def decode(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token for each embedding, and the caches as they came."""
    shape = inputs["acoustic_embeds"].shape[:2]
    ids = np.full(shape, FIRST_ID, np.int32) + np.arange(shape[1], dtype=np.int32) % IDS
    return {
        "token_ids": ids,
        "token_scores": np.full(shape, -0.1, np.float32),
        "candidate_ids": ids[..., None] + np.arange(CANDIDATES, dtype=np.int32),
        "candidate_scores": np.full((*shape, CANDIDATES), -0.1, np.float32),
        "next_cache": inputs["cache"].copy(),
    }
