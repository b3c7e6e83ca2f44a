"""Measures how large tensors get while a graph recognises real audio."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from scripts.onnx_graph.feeds import Feed

_PEAKS = "peaks"


def measure_peaks(
    model: ModelProto, tensors: Sequence[str], feeds: Sequence[Feed], threads: int = 2
) -> dict[str, float]:
    """Return the largest magnitude of each tensor over all feeds; NaN where it was not a number.

    The maxima are taken inside the graph, so that no tensor need leave it.

    Args:
        model: stays as it is; a copy is run.
        tensors: float32 or float16, of any shape.
        feeds: inputs of one run each.
        threads: of one operator.
    """
    if not tensors:
        return {}
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = []
    for index, name in enumerate(tensors):
        nodes += [
            helper.make_node("Abs", [name], [f"{_PEAKS}/abs{index}"]),
            helper.make_node(
                "ReduceMax", [f"{_PEAKS}/abs{index}"], [f"{_PEAKS}/max{index}"], keepdims=0
            ),
            helper.make_node(
                "Cast", [f"{_PEAKS}/max{index}"], [f"{_PEAKS}/f{index}"], to=TensorProto.FLOAT
            ),
            helper.make_node(
                "Reshape", [f"{_PEAKS}/f{index}", f"{_PEAKS}/one"], [f"{_PEAKS}/{index}"]
            ),
        ]
    found = [f"{_PEAKS}/{index}" for index in range(len(tensors))]
    nodes.append(helper.make_node("Concat", found, [_PEAKS], axis=0))
    copy.graph.node.extend(nodes)
    one = numpy_helper.from_array(np.array([1], np.int64), f"{_PEAKS}/one")
    copy.graph.initializer.append(one)
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
    largest = np.maximum.reduce(runs)  # keeps NaN
    return dict(zip(tensors, largest.tolist(), strict=True))
