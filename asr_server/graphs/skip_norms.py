"""Writes residual sums with the layer normalisation that follows as one operator, for a GPU.

`SkipLayerNormalization` adds two tensors and a bias, normalises the sum and gives both. ONNX
Runtime finds such pairs itself only where it knows that shapes agree, which it does not here.

Source: ONNX Runtime's `docs/ContribOperators.md`, com.microsoft.SkipLayerNormalization.
"""

from __future__ import annotations

from onnx import helper

from asr_server.graphs.graph import MICROSOFT, Graph
from asr_server.graphs.layer_norm import fuse_layer_norms
from asr_server.graphs.nodes import attribute_value

_FUSED = "SkipLayerNormalization"


def fuse_skip_norms(graph: Graph) -> int:
    """Put one operator in the place of each sum and the normalisation of it; return their number.

    A sum of more than two tensors is added up before, the bias of a matrix product inside.
    """
    fuse_layer_norms(graph)
    found = 0
    for norm in [node for node in graph.nodes if node.op_type == "LayerNormalization"]:
        total = graph.producer(norm.input[0])
        if total is None or total.op_type != "Add" or len(norm.output) != 1:
            continue
        terms, biases = _terms(graph, total.output[0], is_root=True)
        if len(terms) < 2 or len(biases) > 1 or len(norm.input) != 3:
            continue
        skip = terms[1]
        for term in terms[2:]:
            skip = graph.add("Add", [skip, term])
        output, state = norm.output[0], graph.fresh_name("sum")
        graph.replace_node(
            norm,
            helper.make_node(
                _FUSED,
                [terms[0], skip, *norm.input[1:], *biases],
                [output, "", "", state],
                name=norm.name,
                domain=MICROSOFT,
                epsilon=attribute_value(norm, "epsilon", 1e-5),
            ),
        )
        graph.replace_uses(total.output[0], state)
        found += 1
    if found:
        graph.use_domain(MICROSOFT)
        graph.finish()
    return found


def split_skip_norms(graph: Graph) -> int:
    """Undo `fuse_skip_norms`, for what looks for sums and normalisations; return their number."""
    fused = [node for node in graph.nodes if node.op_type == _FUSED]
    for node in fused:
        first, skip, scale, shift, *biases = node.input
        for bias in biases:
            first = graph.add("Add", [first, bias])
        state = node.output[3]
        graph.replace_node(
            node,
            helper.make_node(
                "LayerNormalization",
                [state, scale, shift],
                [node.output[0]],
                name=node.name,
                axis=-1,
                epsilon=attribute_value(node, "epsilon"),
            ),
        )
        graph.add("Add", [first, skip], name=state)
    if fused:
        graph.finish()
    return len(fused)


def _terms(graph: Graph, tensor: str, is_root: bool = False) -> tuple[list[str], list[str]]:
    """Return what a sum is of, tensors and constants, through sums that nothing else reads.

    The first tensor is one with a bias, where there is any.
    """
    node = graph.producer(tensor)
    if node is None or node.op_type != "Add":
        return [tensor], []
    if not is_root and (len(graph.consumers(tensor)) > 1 or tensor in graph.output_names):
        return [tensor], []
    terms: list[str] = []
    biases: list[str] = []
    for name in node.input:
        value = graph.constant_value(name)
        if value is None:
            inner, constants = _terms(graph, name)
            terms = [*inner, *terms] if constants else [*terms, *inner]
            biases += constants
        elif value.ndim == 1:
            biases.append(name)
        else:
            return [tensor], []
    if len(biases) > 1:
        return [tensor], []
    return terms, biases
