"""Names of values, inside the graphs of a node's attributes too."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import NodeProto


def rename_values(node: NodeProto, new: Mapping[str, str]) -> None:
    """Rename what a node reads and writes, also what its subgraphs read from outside."""
    node.input[:] = [new.get(name, name) for name in node.input]
    node.output[:] = [new.get(name, name) for name in node.output]
    for attribute in node.attribute:
        for inner in attribute.g.node:
            rename_values(inner, new)
        for output in attribute.g.output:
            output.name = new.get(output.name, output.name)
