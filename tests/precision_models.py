"""Embedded models for the tests of precisions: prepared, and with a residual stream too large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from asr_server.graphs import prepare
from asr_server.graphs.graph import Graph
from asr_server.graphs.ragged import take_rows_padded
from asr_server.models import KINDS
from asr_server.recordings import read_features
from tests.recordings import HELDOUT

SAMPLES = KINDS["paraformer"].embedded.parent / "samples"
LANGUAGES = {"paraformer": ("zh",), "sensevoice": ("zh", "en", "yue", "ja", "ko")}


def prepared_model(kind: str, folder: Path) -> Path:
    """Prepare an embedded model; `am.mvn` need not be beside it."""
    path = folder / f"{kind}.onnx"
    prepare(KINDS[kind].embedded / "model.onnx", path, threads=1)
    return path


def sample_features(kind: str) -> list[np.ndarray]:
    """Features of the sample recordings, with which models are calibrated."""
    return read_features(sorted(SAMPLES.glob("*.wav")), KINDS[kind].embedded / "am.mvn")


def heldout_features(kind: str) -> list[np.ndarray]:
    """Features of the held-out recordings in the model's languages."""
    paths = [p for lang in LANGUAGES[kind] for p in sorted(HELDOUT.glob(f"{lang}_*.flac"))]
    return read_features(paths, KINDS[kind].embedded / "am.mvn")


def enlarge_residual_stream(model: ModelProto, factor: float) -> int:
    """Multiply what the encoder's layers add to their running sum; return how many weights.

    Scaled are the value part of `linear_q_k_v` (with it attention and FSMN memory), the bias of
    `linear_out`, and `w_2`. Only normalisations read the sum, so that in exact arithmetic the model
    says what it said before.
    """
    graph = Graph(model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}

    def multiply(name: str, factors: np.ndarray | float) -> None:
        values = numpy_helper.to_array(tensors[name]) * np.float32(factors)
        tensors[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))

    changed = 0
    for node in graph.nodes:
        bias = next((name for name in node.input if ".encoders" in name), "")
        layer = bias.split(".")[-2:]
        products = [graph.producer(name) for name in node.input]
        weight = next((p.input[1] for p in products if p is not None and p.op_type == "MatMul"), "")
        if node.op_type != "Add" or not weight:
            continue
        if layer == ["w_2", "bias"]:
            multiply(bias, factor)
            multiply(weight, factor)
        elif layer == ["linear_out", "bias"]:
            multiply(bias, factor)
        elif layer == ["linear_q_k_v", "bias"]:
            size = tensors[bias].dims[0]
            factors = np.ones(size, np.float32)
            factors[2 * size // 3 :] = factor
            multiply(bias, factors)
            multiply(weight, factors)
        else:
            continue
        changed += 1
    return changed


def load(path: Path) -> ModelProto:
    """Read a prepared file as conversions do: `speech` is [B, T, D] again."""
    model = onnx.load(str(path))
    take_rows_padded(model)
    return model
