"""Streaming Paraformer's encoder and decoder that cost what a GPU's do: a fixed time for a run.

Triton loads this file in the place of either graph, for the benchmark `glue`. Tensors have the size
of the full model's, since moving them is part of what is measured; a token fires every 240 ms.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

HIDDEN = 512
CANDIDATES = 8
ALPHA = 0.25  # of a row of 60 ms
FIRST_ID, IDS = 30, 300  # of the embedded vocabulary


class TritonPythonModel:
    """Waits, and writes down how many rows it had."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Read how long a run takes, and where to write what it saw."""
        parameters = json.loads(args["model_config"])["parameters"]
        values = {name: value["string_value"] for name, value in parameters.items()}
        self.run_s = float(values["run_s"])
        self.runs_file = Path(values["runs_file"])
        self.outputs = encode if args["model_name"] == "streaming_encoder" else decode

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Take the time of a run."""
        begun = time.monotonic()
        answers = [
            self.outputs({tensor.name(): tensor.as_numpy() for tensor in request.inputs()})
            for request in requests
        ]
        rows = sum(len(next(iter(answer.values()))) for answer in answers)
        with self.runs_file.open("a", encoding="utf-8") as runs:
            print(rows, file=runs)
        responses = [
            pb_utils.InferenceResponse([pb_utils.Tensor(*output) for output in answer.items()])
            for answer in answers
        ]
        time.sleep(max(0.0, self.run_s - (time.monotonic() - begun)))
        return responses


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
        "next_cache": inputs["cache"],
    }
