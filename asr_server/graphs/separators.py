"""The tensors that all paths of values go through."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import NodeProto

from asr_server.graphs.graph import Graph
from asr_server.graphs.nodes import used_names

# Outputs of these say how large a tensor is, nothing of what is in it.
_SHAPE_OPERATORS = frozenset({"Shape", "Size"})


def separators(
    graph: Graph, source: str, sinks: Iterable[str], without: NodeProto | None = None
) -> list[str]:
    """Return the tensors that every path of values from `source` to any sink goes through.

    Paths through `Shape` and through the node `without` do not count. In order of computing;
    `source` itself is not among them, a sink may be.
    """
    cut = id(without)
    flow = [n for n in graph.nodes if n.op_type not in _SHAPE_OPERATORS and id(n) != cut]
    reached = {source}
    for node in flow:
        if not reached.isdisjoint(used_names(node)):
            reached.update(node.output)
    needed = set(sinks)
    for node in reversed(flow):
        if not needed.isdisjoint(node.output):
            needed.update(used_names(node))
    between = reached & needed
    order = [source]
    order += [name for node in flow for name in node.output if name in between]
    position = {name: index for index, name in enumerate(order)}
    # The last reader of each tensor; a sink is read by what comes after the graph.
    last = dict.fromkeys(order, 0)
    for node in flow:
        targets = [position[name] for name in node.output if name in between]
        if targets:
            for name in used_names(node) & between:
                last[name] = max(last[name], *targets)
    for name in sinks:
        last[name] = len(order)
    found, farthest = [], last[source]
    for index, name in enumerate(order[1:], start=1):
        if farthest <= index:
            found.append(name)
        farthest = max(farthest, last[name])
    return found
