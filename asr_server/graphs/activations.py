"""Measures how large tensors get while a graph recognises real audio."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from asr_server.graphs.feeds import Feed

_PEAKS = "peaks"


def measure_peaks(
    model: ModelProto,
    tensors: Sequence[str],
    feeds: Sequence[Feed],
    threads: int,
    with_infinite: bool = True,
) -> dict[str, float]:
    """Return the largest magnitude of each tensor over all feeds; infinity for NaN.

    The maxima are taken inside the graph, so that no tensor need leave it.

    Args:
        model: stays as it is; a copy is run.
        tensors: float32 or float16, of any shape.
        feeds: inputs of one run each.
        threads: of one operator.
        with_infinite: False passes over infinities, which masks are made of.
    """
    if not tensors:
        return {}
    copy = ModelProto()
    copy.CopyFrom(model)
    rows = [f"{_PEAKS}/{index}_row" for index in range(len(tensors))]
    for name, row in zip(tensors, rows, strict=True):
        copy.graph.node.extend(_peak_nodes(name, row))
    copy.graph.node.append(helper.make_node("Concat", rows, [_PEAKS], axis=0))
    constants: dict[str, NDArray[Any]] = {
        "one": np.array([1], np.int64),
        "nan": np.array(np.inf, np.float32),
        "infinite": np.array(np.inf if with_infinite else 0.0, np.float32),
    }
    for name, value in constants.items():
        copy.graph.initializer.append(numpy_helper.from_array(value, f"{_PEAKS}/{name}"))
    copy.graph.output.append(helper.make_tensor_value_info(_PEAKS, TensorProto.FLOAT, ["tensors"]))
    with tempfile.TemporaryDirectory(prefix="peaks-") as work:
        path = Path(work) / "model.onnx"
        onnx.save(copy, str(path))
        del copy
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    runs = [session.run([_PEAKS], dict(feed))[0] for feed in feeds]
    largest = np.maximum.reduce(runs)
    return dict(zip(tensors, largest.tolist(), strict=True))


def _peak_nodes(tensor: str, row: str) -> list[NodeProto]:
    """Return nodes that write a tensor's largest magnitude, float32 [1], as `row`."""
    cast, magnitude, is_nan, is_infinite, known, seen, peak = (
        f"{row}_{step}" for step in ("cast", "abs", "nan", "inf", "known", "seen", "max")
    )
    return [
        helper.make_node("Cast", [tensor], [cast], to=TensorProto.FLOAT),
        helper.make_node("Abs", [cast], [magnitude]),
        helper.make_node("IsNaN", [cast], [is_nan]),  # the maximum would pass it over
        helper.make_node("IsInf", [cast], [is_infinite]),
        helper.make_node("Where", [is_infinite, f"{_PEAKS}/infinite", magnitude], [known]),
        helper.make_node("Where", [is_nan, f"{_PEAKS}/nan", known], [seen]),
        helper.make_node("ReduceMax", [seen], [peak], keepdims=0),
        helper.make_node("Reshape", [peak, f"{_PEAKS}/one"], [row]),
    ]
