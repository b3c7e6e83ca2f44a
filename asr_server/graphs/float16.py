"""Turns a prepared graph into float16, for GPUs.

What the layers compute is float16; what decides where a token ends is not: the CIF predictor with
its sums, the front (scaling and position encoding), softmax over the vocabulary. Inputs and outputs
keep their types. float16 ends at 65504, which Paraformer's residual stream exceeds: it is divided
by a power of two that is found on real audio (`residual`), and whatever still comes near the end
stays float32.

Neither onnxconverter-common's converter nor ONNX Runtime's does it: both choose by operator or by
name, not by what a value is for, and know nothing of overflow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from asr_server.graphs.activations import measure_peaks
from asr_server.graphs.caches import CACHED_COLUMNS
from asr_server.graphs.element_types import drop_idle_nodes, element_types
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.feeds import Feed
from asr_server.graphs.graph import FLOAT, FLOAT16, Graph
from asr_server.graphs.layer_norm import fuse_layer_norms
from asr_server.graphs.predictor import HIDDEN, predictor_nodes, values_behind
from asr_server.graphs.residual import find_residual_streams, rescale
from asr_server.graphs.row_starts import tell_row_starts

LARGEST = 65504.0
# What calibration saw may be this much larger in other audio.
HEADROOM = 4.0

# Operators that run in float16 on CUDA. `Softmax`, `LayerNormalization`, `MultiHeadAttention` and
# `ReduceSum` sum in float32 there.
_OPERATORS = frozenset(
    [
        "Add",
        "CausalConvWithState",
        "Concat",
        "Conv",
        "Div",
        "Expand",
        "Gather",
        "Gemm",
        "Identity",
        "LayerNormalization",
        "MatMul",
        "Mul",
        "MultiHeadAttention",
        "Neg",
        "Pad",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Sigmoid",
        "Slice",
        "Softmax",
        "Split",
        "Squeeze",
        "Sub",
        "Sum",
        "Tile",
        "Transpose",
        "UnfoldTensor",
        "Unsqueeze",
        "Where",
    ]
)
# Fails on the CPU, where the proof runs, unless what is around it is float32 there. That is so but
# in a streaming decoder, whose windows are of few tokens.
_WITHOUT_CPU_KERNEL = frozenset(["UnfoldTensor"])


@dataclass(frozen=True)
class Float16Report:
    """What a conversion did.

    Attributes:
        scales: by which each residual stream that would overflow is divided.
        largest_before: magnitude that calibration saw, of what is float16 now.
        largest: the same after rescaling; more than 65504 would be an overflow.
        float16_nodes: operators that compute in float16.
        too_large_nodes: operators left in float32 because rescaling does not reach their tensors.
        row_starts: attentions that are told where rows begin.
    """

    scales: tuple[float, ...]
    largest_before: float
    largest: float
    float16_nodes: int
    too_large_nodes: int
    row_starts: int


def joint_report(reports: Sequence[Float16Report]) -> Float16Report:
    """Return what the conversion of several graphs of one model did."""
    return Float16Report(
        scales=tuple(scale for report in reports for scale in report.scales),
        largest_before=max(report.largest_before for report in reports),
        largest=max(report.largest for report in reports),
        float16_nodes=sum(report.float16_nodes for report in reports),
        too_large_nodes=sum(report.too_large_nodes for report in reports),
        row_starts=sum(report.row_starts for report in reports),
    )


def to_float16(
    model: ModelProto, feeds: Sequence[Feed], threads: int, rescaling: bool = True
) -> Float16Report:
    """Convert a prepared float32 graph in place.

    Args:
        model: as `prepare` writes it, without loops.
        feeds: inputs of real recordings, one run each, to find how large tensors get.
        threads: of the calibration.
        rescaling: False leaves the residual streams and everything large as they are, to see
            where float16 alone fails.

    Raises:
        PrepareError: a normalisation has an unknown form, or there is none.
    """
    graph = Graph(model)
    drop_idle_nodes(graph)
    if not fuse_layer_norms(graph):
        raise PrepareError("no layer normalisation found, so that float16 cannot be made safe")
    _refuse_unknown_norms(graph)
    before = _measure(graph, feeds, threads)
    scales: list[float] = []
    too_large: set[str] = set()
    after = before
    if rescaling:
        scales = _rescale_streams(graph, before)
        if scales:
            after = _measure(graph, feeds, threads)
        too_large = {name for name, peak in after.items() if not peak * HEADROOM <= LARGEST}
    nodes = _float16_nodes(graph)
    kept = {
        index
        for index in nodes
        if not too_large.isdisjoint((*graph.nodes[index].input, *graph.nodes[index].output))
    }
    _convert(graph, nodes - kept)
    finite = [peak for name, peak in after.items() if name not in too_large]
    return Float16Report(
        scales=tuple(scales),
        largest_before=max(before.values(), default=0.0),
        largest=max(finite, default=0.0),
        float16_nodes=len(nodes - kept),
        too_large_nodes=len(kept),
        row_starts=tell_row_starts(graph),
    )


def _refuse_unknown_norms(graph: Graph) -> None:
    """Raise `PrepareError` where a deviation is left that float16 would spoil."""
    norms = [node.output[0] for node in graph.nodes if node.op_type == "LayerNormalization"]
    behind, precise = values_behind(graph, norms), predictor_nodes(graph)
    for index, node in enumerate(graph.nodes):
        if node.op_type == "Sqrt" and node.input[0] in behind and index not in precise:
            raise PrepareError(f"{node.name}: a normalisation in an unknown form; float16 needs it")


def _rescale_streams(graph: Graph, peaks: Mapping[str, float]) -> list[float]:
    scales = []
    for stream in find_residual_streams(graph):
        if not set(stream.states).isdisjoint(graph.output_names):
            continue
        parts = {*stream.states, *(name for names in stream.added.values() for name in names)}
        scale = residual_scale(max(peaks.get(name, 0.0) for name in parts))
        if scale > 1:
            rescale(graph, stream, scale)
            scales.append(scale)
    if scales:
        graph.finish()
    return scales


def residual_scale(peak: float) -> float:
    """Return the smallest power of two, at least 1, that leaves `HEADROOM` above `peak`.

    Dividing by a power of two changes no digit of a float32 weight.
    """
    return 2.0 ** max(0, math.ceil(math.log2(max(peak, 1.0) * HEADROOM / LARGEST)))


def _measure(graph: Graph, feeds: Sequence[Feed], threads: int) -> dict[str, float]:
    """Return the largest magnitude of every tensor that float16 operators read or write."""
    types = element_types(graph)
    nodes = [graph.nodes[index] for index in sorted(_float16_nodes(graph))]
    names = dict.fromkeys(name for node in nodes for name in (*node.input, *node.output))
    computed = [
        name for name in names if types.get(name) == FLOAT and graph.constant_value(name) is None
    ]
    return measure_peaks(graph.model, computed, feeds, threads, with_infinite=False)


def _float16_nodes(graph: Graph) -> set[int]:
    """Return the indices of the nodes to compute in float16.

    They are those behind the first layer normalisation that are neither of the predictor nor of
    the end. What a streaming decoder takes from its encoder is behind the encoder's last one, what
    it remembers behind its own.
    """
    types = element_types(graph)
    norms = [node for node in graph.nodes if node.op_type == "LayerNormalization"]
    normalised = [node.output[0] for node in norms]
    operators = _OPERATORS
    if HIDDEN in graph.input_types:
        normalised += [HIDDEN, CACHED_COLUMNS]
        operators -= _WITHOUT_CPU_KERNEL
    behind_norms = values_behind(graph, normalised)
    outputs = set(graph.output_names)
    precise = predictor_nodes(graph)
    return {
        index
        for index, node in enumerate(graph.nodes)
        if node.op_type in operators
        and index not in precise
        and any(name in behind_norms for name in node.input)
        and types.get(node.output[0]) == FLOAT
        and outputs.isdisjoint(node.output)
    }


def _convert(graph: Graph, indices: set[int]) -> None:
    """Let these nodes compute in float16, with casts and constants where they meet others."""
    types = element_types(graph)
    chosen = [graph.nodes[index] for index in sorted(indices)]
    others = [node for index, node in enumerate(graph.nodes) if index not in indices]
    halves = {name for node in chosen for name in node.output if types.get(name) == FLOAT}
    made: dict[str, str] = {}

    def as_float16(name: str) -> str:
        if name in halves or types.get(name) != FLOAT:
            return name
        if name not in made:
            value = graph.constant_value(name)
            if value is None:
                made[name] = graph.cast(name, FLOAT16)
            else:
                made[name] = graph.constant(_representable(value), np.float16)
        return made[name]

    def as_float32(name: str) -> str:
        if name not in halves:
            return name
        if name not in made:
            made[name] = graph.cast(name, FLOAT)
        return made[name]

    for node in chosen:
        node.input[:] = [as_float16(name) for name in node.input]
    for node in others:
        if node.op_type not in ("Shape", "Size"):
            node.input[:] = [as_float32(name) for name in node.input]
    graph.finish()


def _representable(value: NDArray[Any]) -> NDArray[Any]:
    """Return a constant within float16's range; infinities, which masks are made of, stay."""
    return np.where(np.isinf(value), value, np.clip(value, -LARGEST, LARGEST))
