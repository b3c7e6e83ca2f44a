"""Element types of all tensors of a graph, derived from inputs, constants and operators.

`onnx.shape_inference` gives them too, but copies a model of a gigabyte several times for it.
"""

from __future__ import annotations

from onnx import NodeProto, TensorProto

from asr_server.graphs.graph import BOOL, FLOAT, INT32, INT64, Graph
from asr_server.graphs.nodes import attribute_value

_ALWAYS = {
    **dict.fromkeys(("Shape", "Size", "ArgMax", "ArgMin", "NonZero"), INT64),
    **dict.fromkeys(("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"), BOOL),
    **dict.fromkeys(("And", "Or", "Xor", "Not", "IsNaN", "IsInf"), BOOL),
    "MatMulInteger": INT32,
}


def element_types(graph: Graph) -> dict[str, int]:
    """Return the element type (of `TensorProto`) of every tensor that has one.

    Outputs of operators with subgraphs are left out. The nodes must be in order of computing, as
    `Graph.finish` leaves them.
    """
    types = {tensor.name: tensor.data_type for tensor in graph.model.graph.initializer}
    types |= graph.input_types
    for node in graph.nodes:
        for index, name in enumerate(node.output):
            found = _output_type(node, index, types)
            if found is not None:
                types[name] = found
    return types


def _output_type(node: NodeProto, index: int, types: dict[str, int]) -> int | None:
    kind = node.op_type
    if kind in _ALWAYS:
        return _ALWAYS[kind]
    if kind in ("Loop", "If", "Scan"):
        return None
    if kind == "Cast":
        return int(attribute_value(node, "to"))
    if kind in ("Constant", "ConstantOfShape"):
        value = attribute_value(node, "value")
        if value is None:  # ConstantOfShape without a value, or a Constant in a shorter form
            return FLOAT if kind == "ConstantOfShape" or node.attribute[0].type == 1 else INT64
        return int(value.data_type)
    if kind == "DynamicQuantizeLinear":
        return FLOAT if index == 1 else int(TensorProto.UINT8)
    if kind == "TopK" and index == 1:
        return INT64
    first = 1 if kind == "Where" else 0
    return next((types[name] for name in node.input[first:] if name in types), None)


def drop_idle_nodes(graph: Graph) -> int:
    """Remove identities and casts to the type that a tensor has already; return their number.

    FunASR's layer normalisation casts to float32 and back, whatever it is given, and torch's
    exporter writes one of several equal weights and identities for the others.
    """
    types = element_types(graph)
    outputs = set(graph.output_names)
    idle = {
        node.output[0]: node.input[0]
        for node in graph.nodes
        if node.output[0] not in outputs and _is_idle(node, types)
    }
    for node in graph.nodes:
        for index, name in enumerate(node.input):
            while name in idle:
                name = idle[name]
            node.input[index] = name
    graph.finish()
    return len(idle)


def _is_idle(node: NodeProto, types: dict[str, int]) -> bool:
    return node.op_type == "Identity" or (
        node.op_type == "Cast" and types.get(node.input[0]) == attribute_value(node, "to")
    )
