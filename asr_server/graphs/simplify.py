"""Folds what no input decides, and computes once what a graph computes many times.

An export spells out the shapes of every layer; on a GPU each such operator costs a launch, or the
way to the CPU and back. ONNX Runtime's basic optimisations, which hold for any device, leave few.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import Graph


def simplify(model: ModelProto) -> ModelProto:
    """Return the model after ONNX Runtime's basic optimisations, in the same opset.

    Raises:
        PrepareError: ONNX Runtime refuses the model.
    """
    _take_batch_from_operand(Graph(model))
    used = {node.domain for node in model.graph.node}
    with tempfile.TemporaryDirectory(prefix="simplify-") as folder:
        source, target = Path(folder) / "model.onnx", Path(folder) / "simple.onnx"
        onnx.save(model, str(source))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise PrepareError(f"ONNX Runtime cannot load the graph: {error}") from error
        simple = onnx.load(str(target))
    entries = [entry for entry in simple.opset_import if entry.domain in used]
    del simple.opset_import[:]
    simple.opset_import.extend(entries)
    simple.ir_version = model.ir_version
    return simple


def _take_batch_from_operand(graph: Graph) -> None:
    """Let a change of shape take the rows from what it changes, not from another tensor's shape.

    All tensors of a graph have the batch's rows; then equal changes of one tensor are one.
    """
    for node in graph.nodes:
        if node.op_type != "Reshape":
            continue
        shape = graph.producer(node.input[1])
        if shape is None or shape.op_type != "Concat":
            continue
        first, *others = shape.input
        sizes = [graph.folded_value(name) for name in others]
        if _is_batch(graph, first) and all(size is not None and size.size == 1 for size in sizes):
            numbers = [0, *(int(size.item()) for size in sizes if size is not None)]
            node.input[1] = graph.constant(numbers, np.int64)
    graph.finish()


def _is_batch(graph: Graph, tensor: str) -> bool:
    """Return whether a tensor is the first number of some tensor's shape."""
    node = graph.producer(graph.origin(tensor))
    if node is None or node.op_type != "Gather":
        return False
    source, index = graph.producer(node.input[0]), graph.folded_value(node.input[1])
    return (
        source is not None
        and source.op_type == "Shape"
        and index is not None
        and index.size == 1
        and index.item() == 0
    )
