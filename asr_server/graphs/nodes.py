"""Single nodes of an ONNX graph: their attributes, and what they and their subgraphs read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnx import AttributeProto, GraphProto, NodeProto, helper


def attribute_value(node: NodeProto, name: str, default: Any = None) -> Any:
    """Return the value of a node's attribute, or `default` where it has none of this name."""
    for attribute in node.attribute:
        if attribute.name == name:
            return helper.get_attribute_value(attribute)
    return default


def swaps_time(node: NodeProto | None) -> bool:
    """Tell whether a node turns [B, T, C] into [B, C, T] or back."""
    return (
        node is not None
        and node.op_type == "Transpose"
        and list(attribute_value(node, "perm", [])) == [0, 2, 1]
    )


def used_names(node: NodeProto) -> set[str]:
    """Return the tensors a node reads, those its subgraphs take from outside included."""
    names = {name for name in node.input if name}
    for subgraph in _subgraphs(node):
        names |= _captured_names(subgraph)
    return names


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g


def _captured_names(graph: GraphProto) -> set[str]:
    own = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    used = {value.name for value in graph.output}
    for node in graph.node:
        used |= used_names(node)
        own.update(node.output)
    return used - own


def rename_inputs(node: NodeProto, old: str, new: str) -> None:
    """Let a node, and its subgraphs, read `new` in place of `old`."""
    for index, name in enumerate(node.input):
        if name == old:
            node.input[index] = new
    for subgraph in _subgraphs(node):
        if old in _captured_names(subgraph):
            for inner in subgraph.node:
                rename_inputs(inner, old, new)
            for value in subgraph.output:
                if value.name == old:
                    value.name = new
