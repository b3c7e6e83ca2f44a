"""Writes convolutions over time so that ONNX Runtime has a fast kernel for them.

SAN-M has a depthwise convolution in every layer. On a CPU ONNX Runtime runs one with a single
dimension as a product for each channel; its blocked kernels (NCHWc) are for images. As an image of
one line it takes a fourth to an eighth of the time, the transpositions around it included.

On a GPU cuDNN makes a plan for every new length, which costs more than the run, or finds none and
falls back to 10 to 15 ms for each layer at any batch: on an H100, with ONNX Runtime 1.31, a run of
SenseVoice in float16 took 550 to 1,000 ms, and 28 ms with sums of shifted products in their place,
which need no plan. Here the shifted frames are laid out by one operator, multiplied by one and
summed by one, where slices for each tap take 23. The sum over eleven taps is a product with ones:
`ReduceSum` took a quarter of the run there (H200, 64 rows: 115 ms, 77 ms with the product).

ONNX Runtime 1.25 has a kernel for state-space models that is the same convolution, without a plan
and without writing every frame eleven times: `CausalConvWithState`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from asr_server.graphs.graph import MICROSOFT, Graph
from asr_server.graphs.nodes import attribute_value, swaps_time

_ZERO = np.zeros((), np.float32)
_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Convolution:
    """A depthwise convolution over time, with the padding and the transpositions around it.

    Attributes:
        source: what it reads: [B, T, C] where `from_frames`, else [B, C, T].
        result: what it gives, [B, T, C] where `to_frames`, else [B, C, T].
        pads: zeros before the first and behind the last column.
    """

    node: NodeProto
    weight: NDArray[Any]
    source: str
    from_frames: bool
    result: str
    to_frames: bool
    pads: tuple[int, int]


def widen_convolutions(graph: Graph) -> int:
    """Give depthwise convolutions over time a second dimension, of one; return their number."""
    found = [match for node in graph.nodes if (match := _match(graph, node)) is not None]
    for match in found:
        _widen(graph, match)
    graph.finish()
    return len(found)


def unfold_convolutions(graph: Graph) -> int:
    """Write depthwise convolutions over time as sums of shifted products; return their number.

    Those with strides or dilations, which memory blocks do not have, stay.
    """
    return _replace_dense(graph, _unfold)


def fuse_convolutions(graph: Graph) -> int:
    """Let one operator of ONNX Runtime 1.25 do each depthwise convolution over time.

    Returns:
        How many there were. Those with strides or dilations stay.
    """
    return _replace_dense(graph, _fuse)


def _replace_dense(graph: Graph, replace: Callable[[Graph, _Convolution], None]) -> int:
    found = [match for node in graph.nodes if (match := _match(graph, node)) is not None]
    found = [match for match in found if _is_dense(match.node)]
    for match in found:
        replace(graph, match)
    if found:
        graph.use_domain(MICROSOFT)
    graph.finish()
    return len(found)


def _is_dense(node: NodeProto) -> bool:
    return all(attribute_value(node, name, [1]) == [1] for name in ("strides", "dilations"))


def _match(graph: Graph, node: NodeProto) -> _Convolution | None:
    if node.op_type != "Conv" or attribute_value(node, "auto_pad", b"NOTSET") != b"NOTSET":
        return None
    weight = graph.constant_value(node.input[1])
    if weight is None or weight.ndim != 3 or attribute_value(node, "group", 1) != len(weight):
        return None
    source, pads = node.input[0], tuple(attribute_value(node, "pads", [0, 0]))
    padding = graph.producer(source)
    if padding is not None and (more := _zeros_around_time(graph, padding)) is not None:
        source, pads = padding.input[0], (pads[0] + more[0], pads[1] + more[1])
    before = graph.producer(source)
    from_frames = swaps_time(before)
    if before is not None and from_frames:
        source = before.input[0]
    result = node.output[0]
    readers = graph.consumers(result)
    to_frames = len(readers) == 1 and swaps_time(readers[0])
    if to_frames:
        result = readers[0].output[0]
    if {node.output[0], result} & set(graph.output_names):
        return None
    return _Convolution(node, weight, source, from_frames, result, to_frames, (pads[0], pads[1]))


def _zeros_around_time(graph: Graph, node: NodeProto) -> tuple[int, int] | None:
    """Return how many columns of zeros a `Pad` of [B, C, T] puts before and behind it."""
    if (
        node.op_type != "Pad"
        or len(node.input) > 3
        or attribute_value(node, "mode", b"constant") != b"constant"
    ):
        return None
    amounts = graph.folded_value(node.input[1])
    filler = graph.folded_value(node.input[2]) if len(node.input) > 2 and node.input[2] else _ZERO
    if amounts is None or amounts.shape != (6,) or filler is None or filler.any():
        return None
    first, last = int(amounts[2]), int(amounts[5])
    if first < 0 or last < 0 or abs(amounts).sum() != first + last:
        return None
    return first, last


def _widen(graph: Graph, match: _Convolution) -> None:
    if match.from_frames:
        image = graph.add("Transpose", [graph.unsqueeze(match.source, 1)], perm=[0, 3, 1, 2])
    else:
        image = graph.unsqueeze(match.source, 2)
    weight = graph.constant(match.weight[:, :, np.newaxis], match.weight.dtype)
    image = graph.add(
        "Conv",
        [image, weight, *match.node.input[2:]],
        group=len(match.weight),
        kernel_shape=[1, match.weight.shape[2]],
        pads=[0, match.pads[0], 0, match.pads[1]],
        strides=[1, *attribute_value(match.node, "strides", [1])],
        dilations=[1, *attribute_value(match.node, "dilations", [1])],
    )
    if match.to_frames:
        frames = graph.add("Transpose", [image], perm=[0, 2, 3, 1])
        # Not Squeeze: the optimiser would move it before the transposition and so keep that.
        shape = graph.constant([0, -1, len(match.weight)], np.int64)
        result = graph.add("Reshape", [frames, shape])
    else:
        result = graph.add("Squeeze", [image, graph.constant([2], np.int64)])
    graph.replace_uses(match.result, result)


def _fuse(graph: Graph, match: _Convolution) -> None:
    """Take a causal convolution: the one asked for, later by the columns that it looks ahead."""
    columns = match.source
    if match.from_frames:
        columns = graph.add("Transpose", [columns], perm=[0, 2, 1])
    before, ahead = match.pads
    result, taps = _with_residual(graph, match)
    early = taps.shape[1] - 1 - before  # columns that it gives before the first one wanted
    if ahead or early < 0:
        amounts = graph.constant([0, 0, max(0, -early), 0, 0, ahead], np.int64)
        columns = graph.add("Pad", [columns, amounts])
    weight = graph.constant(taps[:, np.newaxis], taps.dtype)
    memory, _ = graph.add_several(
        "CausalConvWithState", [columns, weight, *match.node.input[2:]], 2, domain=MICROSOFT
    )
    if early > 0:
        bounds = [graph.constant([value], np.int64) for value in (early, _END, 2)]
        memory = graph.add("Slice", [memory, *bounds])
    if match.to_frames:
        memory = graph.add("Transpose", [memory], perm=[0, 2, 1])
    graph.replace_uses(result, memory)


def _with_residual(graph: Graph, match: _Convolution) -> tuple[str, NDArray[Any]]:
    """Return what to replace, and the taps [C, kernel] that give it.

    Where the frame itself is added to the result, it is one more weight of its own tap.
    """
    taps, result = match.weight[:, 0].copy(), match.result
    if len(match.node.input) == 2 and _adds_source(graph, match):
        (residual,) = graph.consumers(result)
        taps[:, match.pads[0]] += 1
        result = _behind_mask(graph, residual.output[0], match.source)
    return result, taps


def _unfold(graph: Graph, match: _Convolution) -> None:
    frames = match.source
    if not match.from_frames:
        frames = graph.add("Transpose", [frames], perm=[0, 2, 1])
    if any(match.pads):
        before, behind = match.pads
        amounts = graph.constant([0, before, 0, 0, behind, 0], np.int64)
        frames = graph.add("Pad", [frames, amounts])
    result, taps = _with_residual(graph, match)
    windows = graph.add(
        "UnfoldTensor", [frames], domain=MICROSOFT, dim=1, size=taps.shape[1], step=1
    )  # [B, T, C, kernel]
    products = graph.add("Mul", [windows, graph.constant(taps, taps.dtype)])
    ones = graph.constant(np.ones((taps.shape[1], 1)), taps.dtype)
    memory = graph.add("MatMul", [products, ones])  # [B, T, C, 1]
    memory = graph.add("Squeeze", [memory, graph.constant([3], np.int64)])
    for bias in match.node.input[2:]:
        memory = graph.add("Add", [memory, bias])
    if not match.to_frames:
        memory = graph.add("Transpose", [memory], perm=[0, 2, 1])
    graph.replace_uses(result, memory)


def _adds_source(graph: Graph, match: _Convolution) -> bool:
    """Return whether all that reads the result adds to it what the convolution reads."""
    readers = graph.consumers(match.result)
    return (
        match.from_frames == match.to_frames
        and sum(match.pads) == match.weight.shape[2] - 1
        and len(readers) == 1
        and readers[0].op_type == "Add"
        and set(readers[0].input) == {match.result, match.source}
        and readers[0].output[0] not in graph.output_names
    )


def _behind_mask(graph: Graph, memory: str, source: str) -> str:
    """Return what a product with the mask of `source` gives, as padding is masked where it is read.

    `memory` itself where there is no such product.
    """
    readers, before = graph.consumers(memory), graph.producer(source)
    if len(readers) != 1 or before is None or {readers[0].op_type, before.op_type} != {"Mul"}:
        return memory
    masks = [name for name in readers[0].input if name != memory]
    return readers[0].output[0] if masks and masks[0] in before.input else memory
