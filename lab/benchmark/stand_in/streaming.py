"""Streaming Paraformer's encoder and decoder that cost what a GPU's do: a fixed time for a run.

Triton loads this file in the place of either graph, for the benchmark `glue`. It is the backend of
`backends/onnxruntime` but for its session. Tensors have the size of the full model's, since moving
them is part of what is measured; a token fires every 240 ms.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
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
    """The backend's model as it works on a GPU, one run at a time, with a stand-in for its session.

    `execute` and what it calls are the backend's.
    """

    def initialize(self, args: Mapping[str, str]) -> None:
        """Set up what the backend's own `initialize` does."""
        backend = _load_backend(Path(_parameters(args)["backend"]))
        session = StandIn(args)
        self.served = backend.TritonPythonModel()
        vars(self.served).update(
            _name=args["model_name"],
            _sessions=SimpleNamespace(alone=session, beside_others=session),
            _run_options=None,
            _workers=backend.Workers(1, ahead=False),
            _turns=backend.Turns(),
            _runs=1,
            _plan=backend.BatchPlan(True, concatenate=backend.JoinedArrays().concatenate),
        )
        backend.keep_freed_memory()

    def execute(self, requests: Sequence[Any]) -> None:
        """Answer the requests of one call."""
        self.served.execute(requests)

    def finalize(self) -> None:
        """Wait for the last answers."""
        self.served.finalize()


def _load_backend(folder: Path) -> Any:
    """Return the module that Triton loads as the Python-based backend."""
    sys.path.append(str(folder))
    spec = spec_from_file_location("onnxruntime_backend", folder / "model.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder}: expected model.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def encode(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return hidden rows, and weights with which a token fires every fourth row."""
    shape = inputs["positions"].shape
    return {
        "hidden": np.zeros((*shape, HIDDEN), np.float32),
        "alphas": np.full(shape, ALPHA, np.float32),
    }


def decode(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token for each embedding, and what is to be remembered of it."""
    shape, cached = inputs["acoustic_embeds"].shape[:2], inputs["cached_columns"]
    ids = np.full(shape, FIRST_ID, np.int32) + np.arange(shape[1], dtype=np.int32) % IDS
    return {
        "token_ids": ids,
        "token_scores": np.full(shape, -0.1, np.float32),
        "candidate_ids": ids[..., None] + np.arange(CANDIDATES, dtype=np.int32),
        "candidate_scores": np.full((*shape, CANDIDATES), -0.1, np.float32),
        "new_columns": np.zeros((*shape, *cached.shape[2:]), cached.dtype),
    }
