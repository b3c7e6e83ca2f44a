"""Puts one `LayerNormalization` in the place of the nine operators that spell it out.

In float16 the squares would overflow at 256; `LayerNormalization` computes in float32 inside,
whatever it reads and writes. ONNX Runtime fuses the nine operators when it loads a model, but only
where all of them have one type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from onnx import NodeProto, helper

from asr_server.graphs.graph import Graph
from asr_server.graphs.nodes import attribute_value

OPSET = 17  # the first with the operator; what the graphs use of 14 to 16 means the same in it


@dataclass(frozen=True)
class _Match:
    values: str
    scale: str
    bias: str
    epsilon: float
    output: NodeProto


def fuse_layer_norms(graph: Graph) -> int:
    """Replace every layer normalisation over the last axis; return how many there are.

    Nodes that are `LayerNormalization` already count too.
    """
    matches = [match for node in graph.nodes if (match := _match(graph, node)) is not None]
    for match in matches:
        node = match.output
        node.CopyFrom(
            helper.make_node(
                "LayerNormalization",
                [match.values, match.scale, match.bias],
                list(node.output),
                name=node.name,
                axis=-1,
                epsilon=match.epsilon,
            )
        )
    for entry in graph.model.opset_import:
        if not entry.domain:
            entry.version = max(entry.version, OPSET)
    graph.finish()
    return sum(node.op_type == "LayerNormalization" for node in graph.nodes)


def _match(graph: Graph, node: NodeProto) -> _Match | None:
    """Match (d / sqrt(mean(d ** 2) + epsilon)) * scale + bias, with d = x - mean(x)."""
    scaled, bias = _with_constant(graph, node, "Add")
    product = graph.producer(scaled)
    normal, scale = _with_constant(graph, product, "Mul")
    division = graph.producer(normal)
    if division is None or division.op_type != "Div":
        return None
    deviation, root = (graph.producer(name) for name in division.input)
    if deviation is None or deviation.op_type != "Sub" or root is None or root.op_type != "Sqrt":
        return None
    mean = graph.producer(deviation.input[1])
    variance, epsilon = _with_constant(graph, graph.producer(root.input[0]), "Add")
    squares = graph.producer(variance)
    if not _is_mean(graph, mean) or not _is_mean(graph, squares):
        return None
    power = graph.producer(squares.input[0]) if squares is not None else None
    if power is None or power.op_type != "Pow" or mean is None:
        return None
    exponent, small = graph.constant_value(power.input[1]), graph.constant_value(epsilon)
    squared = graph.producer(power.input[0])  # older exporters subtract the mean twice
    if squared is None or list(squared.input) != list(deviation.input):
        return None
    if exponent is None or float(exponent) != 2.0 or small is None or small.size != 1:
        return None
    if mean.input[0] != deviation.input[0]:
        return None
    return _Match(deviation.input[0], scale, bias, float(small), node)


def _with_constant(graph: Graph, node: NodeProto | None, op_type: str) -> tuple[str, str]:
    """Return the computed and the constant operand; empty names where it is something else."""
    if node is None or node.op_type != op_type:
        return "", ""
    for computed, constant in (node.input, reversed(node.input)):
        if graph.constant_value(computed) is None and graph.constant_value(constant) is not None:
            return computed, constant
    return "", ""


def _is_mean(graph: Graph, node: NodeProto | None) -> bool:
    if node is None or node.op_type != "ReduceMean":
        return False
    axes: Any = attribute_value(node, "axes")
    if axes is None and len(node.input) > 1:
        axes = graph.constant_value(node.input[1])
    return axes is not None and list(axes) == [-1] and bool(attribute_value(node, "keepdims", 1))
