"""Tells float16 attention where rows begin, for CUDA's memory-efficient kernel.

ONNX Runtime's `MultiHeadAttention` takes how many keys a row has in several forms. With one number
for each row it has, on CUDA and with the heads of these models, no kernel that keeps the scores of
all pairs out of memory, but for cuDNN's, which is planned for each shape. Told where each row's
queries and keys begin besides, it takes CUTLASS's memory-efficient one, in float16 for any length.
In float32, below 256 frames, CUDA would read the same numbers as another mask; the CPU's kernel
reads the first B of them alone.

Source: ONNX Runtime's `contrib_ops/cuda/bert/multihead_attention.cc`, `attention_impl.cu`
(`EfficientAttention`, `UnfusedAttention`) and `cutlass_fmha/kernel_forward.h`.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from asr_server.graphs.element_types import element_types
from asr_server.graphs.graph import FLOAT16, INT32, Graph
from asr_server.graphs.nodes import attribute_value

_HEAD_MULTIPLE, _LARGEST_HEAD = 8, 1024  # of the kernel, `has_memory_efficient_attention`


def tell_row_starts(graph: Graph) -> int:
    """Let float16 attentions with numbers of keys take where rows begin, too; return how many.

    Their mask becomes int32 [3 B + 2]: the numbers of keys, at least 1; where each row's queries
    begin among those of all rows, and the end; the same of the keys. A row without keys would be
    divided by a sum of nothing, where other kernels take the mean of all values.

    Args:
        graph: in order of computing; is changed. Tensors of one attention have the same rows, and
            all that read one tensor of numbers have as many columns of keys.
    """
    types = element_types(graph)
    found = [node for node in graph.nodes if _takes_starts(graph, node, types)]
    rows: dict[str, tuple[str, str, str]] = {}
    masks: dict[tuple[str, str], str] = {}
    for node in found:
        counts = node.input[4]
        if counts not in rows:
            rows[counts] = _rows(graph, counts, node.input[1])
        keys, numbers, key_starts = rows[counts]
        query_starts = key_starts
        if not _is_self_attention(graph, node):
            query_starts = _starts(graph, numbers, node.input[0])
        if (counts, query_starts) not in masks:
            masks[counts, query_starts] = graph.add(
                "Concat", [keys, query_starts, key_starts], axis=0
            )
        node.input[4] = masks[counts, query_starts]
    if found:
        graph.finish()
    return len(found)


def _takes_starts(graph: Graph, node: NodeProto, types: dict[str, int]) -> bool:
    """Return whether a node is an attention for which the kernel takes this mask."""
    if node.op_type != "MultiHeadAttention" or len(node.input) != 5 or node.input[3]:
        return False
    heads = attribute_value(node, "num_heads")
    widths = [_width(graph, name) for name in node.input[:3]]
    return types.get(node.input[0]) == FLOAT16 and all(
        width and width % (heads * _HEAD_MULTIPLE) == 0 and width // heads <= _LARGEST_HEAD
        for width in widths
    )


def _rows(graph: Graph, counts: str, key: str) -> tuple[str, str, str]:
    """Add numbers of keys of at least 1, the numbers 0 to B of the rows, and where keys begin."""
    one = graph.constant(1, np.int64)
    after_last = graph.add("Add", [graph.dim(counts, 0), one])
    numbers = graph.add("Range", [graph.constant(0, np.int64), after_last, one])
    keys = graph.add("Max", [counts, graph.constant(1, np.int32)])
    return keys, numbers, _starts(graph, numbers, key)


def _starts(graph: Graph, numbers: str, tensor: str) -> str:
    """Add where the rows of [B, n, D] begin, n apart, and the end: int32 [B + 1]."""
    return graph.cast(graph.add("Mul", [numbers, graph.dim(tensor, 1)]), INT32)


def _is_self_attention(graph: Graph, node: NodeProto) -> bool:
    """Return whether queries and keys are parts of the same frames."""
    query, key = (graph.producer(name) for name in node.input[:2])
    return query is not None and query is key and query.op_type == "Split"


def _width(graph: Graph, tensor: str) -> int:
    """Return the last dimension of a matrix product with a bias, or of a part of one; else 0."""
    node = graph.producer(tensor)
    if node is not None and node.op_type == "Cast":  # hotwords' keys are computed in float32
        return _width(graph, node.input[0])
    if node is not None and node.op_type == "Split" and len(node.input) == 2:
        sizes = graph.constant_value(node.input[1])
        return 0 if sizes is None else int(sizes[list(node.output).index(tensor)])
    if node is not None and node.op_type == "Add":
        biases = [graph.constant_value(name) for name in node.input]
        return max((len(bias) for bias in biases if bias is not None and bias.ndim == 1), default=0)
    return 0
