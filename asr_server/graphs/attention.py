"""Writes attention as ONNX Runtime's `MultiHeadAttention`, for a GPU.

Exports spell it out in fourteen operators a layer, those of its shapes not counted. The fused one
has kernels on CUDA and on the CPU; how many keys a row has is one number for it.

Source: ONNX Runtime's `docs/ContribOperators.md`, com.microsoft.MultiHeadAttention.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto

from asr_server.graphs.graph import BOOL, INT32, MICROSOFT, Graph
from asr_server.graphs.nodes import attribute_value

_HEADS_OUT, _KEYS_OUT = [0, 2, 1, 3], [0, 2, 3, 1]
_NEVER = -1e4  # what exports add to, or put in the place of, the score of a key beyond the end
_FILTER = -1e30  # the same here


@dataclass(frozen=True)
class _Attention:
    """One attention.

    Attributes:
        query, key, value: [B, n, H x D].
        heads: H.
        scale: of the products.
        masks: of the scores: name, and whether it is added or true where a key is or is not.
        output: [B, n, H x D].
    """

    query: str
    key: str
    value: str
    heads: int
    scale: float
    masks: tuple[tuple[str, str], ...]
    output: str


def fuse_attention(graph: Graph, by_pair: bool) -> int:
    """Put one operator in the place of every attention of known form; return their number.

    Args:
        graph: is changed.
        by_pair: which keys a query sees is its own matter: masks are [B, 1, n, n]. Else keys are
            taken to be masked from each row's length on, which the proof of `prepare` checks.
    """
    found = [match for node in graph.nodes if (match := _match(graph, node)) is not None]
    made: dict[tuple[tuple[str, str], ...], str] = {}
    for match in found:
        inputs = [match.query, match.key, match.value]
        if match.masks:
            if match.masks not in made:
                present = _present(graph, match.masks)
                made[match.masks] = (_bias if by_pair else _key_lengths)(graph, present)
            inputs += ["", "", made[match.masks]] if by_pair else ["", made[match.masks]]
        fused = graph.add(
            "MultiHeadAttention",
            inputs,
            domain=MICROSOFT,
            num_heads=match.heads,
            scale=match.scale,
            mask_filter_value=_FILTER,
        )
        graph.replace_uses(match.output, fused)
    if found:
        graph.use_domain(MICROSOFT)
        graph.finish()
    return len(found)


def _present(graph: Graph, masks: tuple[tuple[str, str], ...]) -> str:
    """Add nodes that say which keys count: masks of one shape to booleans."""
    present = ""
    for name, way in masks:
        if way == "added":
            mine = graph.add("Greater", [name, graph.constant(_NEVER / 2, np.float32)])
        else:
            mine = name if way == "present" else graph.add("Not", [graph.cast(name, BOOL)])
        present = graph.add("And", [present, mine]) if present else mine
    return present


def _key_lengths(graph: Graph, present: str) -> str:
    """Add nodes that count each row's keys: [B, 1, 1, n] to int32 [B]."""
    counted = graph.reduce("ReduceSum", graph.cast(present, INT32), -1)
    return graph.add("Reshape", [counted, graph.constant([-1], np.int64)])


def _bias(graph: Graph, present: str) -> str:
    """Add nodes that make what is added to the scores: [B, 1, n, n] to float32 of that shape."""
    nothing, never = (graph.constant(value, np.float32) for value in (0.0, _FILTER))
    return graph.add("Where", [present, nothing, never])


def _match(graph: Graph, softmax: NodeProto) -> _Attention | None:
    if softmax.op_type != "Softmax" or attribute_value(softmax, "axis", -1) not in (-1, 3):
        return None
    scale, masks, product = _scores(graph, softmax.input[0])
    if product is None:
        return None
    query, query_shape, query_scale = _head_side(graph, product.input[0], _HEADS_OUT)
    key, key_shape, key_scale = _head_side(graph, product.input[1], _KEYS_OUT)
    weighted = _only_reader(graph, softmax.output[0])
    if weighted is not None and weighted.op_type == "Where":  # zeros where a key is beyond the end
        weighted = _only_reader(graph, weighted.output[0])
    if weighted is None or weighted.op_type != "MatMul":
        return None
    value, value_shape, value_scale = _head_side(graph, weighted.input[1], _HEADS_OUT)
    back = _only_reader(graph, weighted.output[0])
    if back is None or list(attribute_value(back, "perm", [])) != _HEADS_OUT:
        return None
    joined = _only_reader(graph, back.output[0])
    heads = _num_heads(graph, query_shape)
    if joined is None or joined.op_type != "Reshape" or not (query and key and value and heads):
        return None
    if value_scale != 1.0 or {_num_heads(graph, s) for s in (key_shape, value_shape)} != {heads}:
        return None
    return _Attention(
        query,
        key,
        value,
        heads,
        scale * query_scale * key_scale,
        tuple(masks),
        joined.output[0],
    )


def _only_reader(graph: Graph, tensor: str) -> NodeProto | None:
    """Return what reads the values of a tensor, where that is one node."""
    readers = [node for node in graph.consumers(tensor) if node.op_type != "Shape"]
    return readers[0] if len(readers) == 1 and tensor not in graph.output_names else None


def _scores(graph: Graph, tensor: str) -> tuple[float, list[tuple[str, str]], NodeProto | None]:
    """Follow scores back to the product of queries and keys: scale, masks, product."""
    scale = 1.0
    masks: list[tuple[str, str]] = []
    while (node := graph.producer(tensor)) is not None and node.op_type != "MatMul":
        if node.op_type == "Where":
            values = [graph.constant_value(name) for name in node.input[1:]]
            index = next(
                (i for i, v in enumerate(values) if v is not None and v.max() <= _NEVER), 2
            )
            if index == 2:
                return scale, masks, None
            masks.append((node.input[0], "present" if index else "absent"))
            tensor = node.input[2 - index]
        elif node.op_type == "Add":
            masks.append((node.input[1], "added"))
            tensor = node.input[0]
        elif node.op_type in ("Mul", "Div"):
            number = graph.constant_value(node.input[1])
            if number is None or number.size != 1:
                return scale, masks, None
            scale = scale * float(number) if node.op_type == "Mul" else scale / float(number)
            tensor = node.input[0]
        elif node.op_type == "Cast":
            tensor = node.input[0]
        else:
            return scale, masks, None
    return scale, masks, node


def _head_side(graph: Graph, tensor: str, order: list[int]) -> tuple[str, str, float]:
    """Follow one operand back to before its heads were parted: source, shape with heads, scale."""
    scale = 1.0
    node = graph.producer(tensor)
    if node is not None and node.op_type == "Mul":
        number = graph.constant_value(node.input[1])
        if number is None or number.size != 1:
            return "", "", scale
        scale = float(number)
        node = graph.producer(node.input[0])
    if node is None or list(attribute_value(node, "perm", [])) != order:
        return "", "", scale
    node = graph.producer(node.input[0])
    if node is None or node.op_type != "Reshape":
        return "", "", scale
    return node.input[0], node.input[1], scale


def _num_heads(graph: Graph, shape: str) -> int:
    """Return the third number of a shape, constant or put together of scalars; 0 if unknown."""
    value = graph.constant_value(shape)
    node = graph.producer(shape)
    if value is None and node is not None and node.op_type == "Concat" and len(node.input) == 4:
        value = graph.constant_value(node.input[2])
        return int(value.item()) if value is not None else 0
    return int(value[2]) if value is not None and value.shape == (4,) else 0
