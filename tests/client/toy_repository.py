"""A model repository without a model: real Triton answers, made up from the request.

`toy` takes and gives the tensors of `sensevoice` and answers with the length of each row in
samples. What the language "nospeech" and a length ask for together is trouble, see `TROUBLE`.
"""

from __future__ import annotations

from pathlib import Path

TROUBLE = {"crash": 1, "slow": 2, "internal": 3, "invalid": 4, "raise": 5, "busy": 6}
SLOW_S = 8  # how long "slow" takes

_TENSORS = """
max_batch_size: 4
input [
  { name: "WAV" data_type: TYPE_FP32 dims: [ -1 ] },
  { name: "WAV_LENS" data_type: TYPE_INT32 dims: [ 1 ] },
  { name: "LANGUAGE" data_type: TYPE_INT32 dims: [ 1 ] }
]
output [
  { name: "TRANSCRIPTS" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "TOKENS" data_type: TYPE_STRING dims: [ -1 ] },
  { name: "TIMESTAMPS" data_type: TYPE_INT32 dims: [ -1, 2 ] },
  { name: "CONFIDENCE" data_type: TYPE_FP32 dims: [ -1 ] }
]
"""

_ENSEMBLE = """
name: "toy"
platform: "ensemble"
ensemble_scheduling { step [ {
  model_name: "toy_core"
  model_version: -1
  input_map { key: "WAV" value: "WAV" }
  input_map { key: "WAV_LENS" value: "WAV_LENS" }
  input_map { key: "LANGUAGE" value: "LANGUAGE" }
  output_map { key: "TRANSCRIPTS" value: "TRANSCRIPTS" }
  output_map { key: "TOKENS" value: "TOKENS" }
  output_map { key: "TIMESTAMPS" value: "TIMESTAMPS" }
  output_map { key: "CONFIDENCE" value: "CONFIDENCE" }
} ] }
"""

_CORE = """
name: "toy_core"
backend: "python"
instance_group [ { kind: KIND_CPU } ]
"""

_NOT_A_RECOGNISER = """
name: "identity"
backend: "python"
max_batch_size: 4
input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] } ]
instance_group [ { kind: KIND_CPU } ]
"""

_MODEL = f"""
import os
import time

import numpy as np
import triton_python_backend_utils as pb_utils


def answer(request):
    lengths = pb_utils.get_input_tensor_by_name(request, "WAV_LENS").as_numpy()[:, 0]
    language = pb_utils.get_input_tensor_by_name(request, "LANGUAGE").as_numpy()[0, 0]
    if language == 13:
        length = int(lengths[0])
        if length == {TROUBLE["crash"]}:
            os._exit(3)
        if length == {TROUBLE["slow"]}:
            time.sleep({SLOW_S})
        if length == {TROUBLE["internal"]}:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("no luck"))
        if length == {TROUBLE["invalid"]}:
            error = pb_utils.TritonError("expected 1; got 4", pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        if length == {TROUBLE["raise"]}:
            raise RuntimeError("boom")
        if length == {TROUBLE["busy"]}:
            error = pb_utils.TritonError("too many sessions", pb_utils.TritonError.UNAVAILABLE)
            return pb_utils.InferenceResponse(error=error)
    texts = ["" if length == 7 else str(length) for length in lengths]
    width = max(map(len, texts))
    tokens = [[c.encode() for c in text] + [b""] * (width - len(text)) for text in texts]
    times = np.full((len(texts), width, 2), -1, np.int32)
    confidence = np.zeros((len(texts), width), np.float32)
    for row, text in enumerate(texts):
        times[row, : len(text)] = [[60 * i, 60 * i + 60] for i in range(len(text))] or 0
        confidence[row, : len(text)] = 0.5
    raw = [[("<|zh|><|NEUTRAL|><|Speech|><|withitn|>" + text).encode()] for text in texts]
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor("TRANSCRIPTS", np.array(raw, np.object_)),
            pb_utils.Tensor("TOKENS", np.array(tokens, np.object_).reshape(len(texts), width)),
            pb_utils.Tensor("TIMESTAMPS", times),
            pb_utils.Tensor("CONFIDENCE", confidence),
        ]
    )


class TritonPythonModel:
    def execute(self, requests):
        return [answer(request) for request in requests]
"""


def write_repository(folder: Path) -> Path:
    """Write the repository into an empty folder and return it."""
    configs = {
        "toy": _ENSEMBLE + _TENSORS,
        "toy_core": _CORE + _TENSORS,
        "identity": _NOT_A_RECOGNISER,
    }
    for name, config in configs.items():
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "config.pbtxt").write_text(config)
        if name != "toy":
            (folder / name / "1" / "model.py").write_text(_MODEL)
    return folder
