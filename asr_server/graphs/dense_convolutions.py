"""Writes what is left of convolutions as matrix products, for a GPU.

`convolutions` unfolds SAN-M's memory blocks. There are a few others, for which cuDNN would make a
plan for every new length: the CIF predictor's, over three frames and all channels; BiCif
Paraformer's transposed one, which makes three frames of one; contextual Paraformer's, over one
frame; FSMN-VAD's memory blocks, which are exported as images of one column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from asr_server.graphs.graph import MICROSOFT, Graph
from asr_server.graphs.nodes import attribute_value

_SWAP = [0, 2, 1]  # [B, C, T] and [B, T, C]


def flatten_columns(graph: Graph) -> int:
    """Take the axis of one column off convolutions over [B, C, T, 1]; return their number."""
    found = 0
    for node in list(graph.nodes):
        weight = _weight(graph, node, "Conv")
        if weight is None or weight.ndim != 4 or weight.shape[3] != 1:
            continue
        pads = list(attribute_value(node, "pads", [0] * 4))
        strides = list(attribute_value(node, "strides", [1, 1]))
        if pads[1] or pads[3] or strides[1] != 1:
            continue
        column = graph.constant([3], np.int64)
        flat = graph.add(
            "Conv",
            [
                graph.add("Squeeze", [node.input[0], column]),
                graph.constant(weight[..., 0], weight.dtype),
                *node.input[2:],
            ],
            group=attribute_value(node, "group", 1),
            kernel_shape=[weight.shape[2]],
            pads=[pads[0], pads[2]],
            strides=strides[:1],
            dilations=list(attribute_value(node, "dilations", [1, 1]))[:1],
        )
        graph.replace_uses(node.output[0], graph.add("Unsqueeze", [flat, column]))
        found += 1
    graph.finish()
    return found


def multiply_convolutions(graph: Graph) -> int:
    """Write convolutions over all channels as matrix products; return their number.

    Those with strides, dilations or groups stay, and transposed ones whose results overlap.
    """
    found = 0
    for node in list(graph.nodes):
        if node.output[0] in graph.output_names:
            continue
        if (weight := _weight(graph, node, "Conv")) is not None:
            frames = _convolved(graph, node, weight)
        elif (weight := _weight(graph, node, "ConvTranspose")) is not None:
            frames = _spread(graph, node, weight)
        else:
            continue
        if frames:
            _give(graph, node, frames)
            found += 1
    graph.finish()
    return found


def _weight(graph: Graph, node: NodeProto, op_type: str) -> NDArray[np.float32] | None:
    if node.op_type != op_type or attribute_value(node, "auto_pad", b"NOTSET") != b"NOTSET":
        return None
    return graph.constant_value(node.input[1])


def _convolved(graph: Graph, node: NodeProto, weight: NDArray[np.float32]) -> str:
    """Add nodes for a convolution, as [B, T, C]; "" where it is of another sort.

    Args:
        graph: gets them.
        node: the convolution, of [B, C, T].
        weight: [C', C, kernel].
    """
    if weight.ndim != 3 or attribute_value(node, "group", 1) != 1 or not _is_plain(node, [1]):
        return ""
    frames = graph.add("Transpose", [node.input[0]], perm=_SWAP)
    before, behind = attribute_value(node, "pads", [0, 0])
    if before or behind:
        amounts = graph.constant([0, before, 0, 0, behind, 0], np.int64)
        frames = graph.add("Pad", [frames, amounts])
    channels, _, kernel = weight.shape
    if kernel > 1:
        graph.use_domain(MICROSOFT)
        windows = graph.add(
            "UnfoldTensor", [frames], domain=MICROSOFT, dim=1, size=kernel, step=1
        )  # [B, T, C, kernel]
        flat = graph.constant([0, 0, weight[0].size], np.int64)
        frames = graph.add("Reshape", [windows, flat])
    return _product(graph, frames, weight.reshape(channels, -1).T, node.input[2:])


def _spread(graph: Graph, node: NodeProto, weight: NDArray[np.float32]) -> str:
    """Add nodes for a transposed convolution, as [B, T x kernel, C']; "" where it is another sort.

    Args:
        graph: gets them.
        node: the convolution, of [B, C, T].
        weight: [C, C', kernel].
    """
    if weight.ndim != 3 or attribute_value(node, "group", 1) != 1:
        return ""
    source, channels, kernel = weight.shape
    pads = attribute_value(node, "pads", [0, 0])
    if not _is_plain(node, [kernel]) or any(pads) or attribute_value(node, "output_padding", []):
        return ""
    frames = graph.add("Transpose", [node.input[0]], perm=_SWAP)
    wide = graph.add(
        "MatMul",
        [frames, graph.constant(weight.transpose(0, 2, 1).reshape(source, -1), weight.dtype)],
    )
    rows = graph.add("Reshape", [wide, graph.constant([0, -1, channels], np.int64)])
    return graph.add("Add", [rows, node.input[2]]) if len(node.input) > 2 else rows


def _is_plain(node: NodeProto, strides: list[int]) -> bool:
    return (
        list(attribute_value(node, "strides", [1])) == strides
        and list(attribute_value(node, "dilations", [1])) == [1]
        and not attribute_value(node, "output_shape", [])
    )


def _product(graph: Graph, frames: str, weight: NDArray[np.float32], bias: list[str]) -> str:
    """Add nodes for frames [B, T, n] times weight [n, C'] and, maybe, bias [C']."""
    product = graph.add("MatMul", [frames, graph.constant(weight, weight.dtype)])
    return graph.add("Add", [product, bias[0]]) if bias else product


def _give(graph: Graph, node: NodeProto, frames: str) -> None:
    """Let what reads a convolution's [B, C, T] read `frames` [B, T, C], turned if need be."""
    result = node.output[0]
    for reader in graph.consumers(result):
        if reader.op_type == "Transpose" and list(attribute_value(reader, "perm", [])) == _SWAP:
            graph.replace_uses(reader.output[0], frames)
    if graph.consumers(result):
        graph.replace_uses(result, graph.add("Transpose", [frames], perm=_SWAP))
