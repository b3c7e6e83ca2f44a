"""Continuous integrate-and-fire as sums over overlaps, without loops and data-dependent shapes.

Let P_t be the sum of the weights up to and including frame t. Token n integrates the weight
between n and n + 1, so frame t gives it the overlap of [P_(t-1), P_t] with [n, n + 1]:

    overlap = clip(P_t - n, 0, 1) - clip(P_(t-1) - n, 0, 1)

and the token's embedding is the overlap-weighted sum of the encoder's frames. That is one matrix
product. The exported forms of the same thing gather and scatter by the number of tokens that fired
(they fail where the last row of a batch fires none) or loop over the frames, which on a GPU costs
thousands of kernel launches.

Source: CIF, https://arxiv.org/abs/1905.11235, eq. 1 to 4, with threshold 1.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from asr_server.graphs.graph import DOUBLE, FLOAT, INT64, Graph
from asr_server.graphs.nodes import rename_inputs

# FunASR fires the upsampled weights slightly early (`threshold - 1e-4`).
PEAK_THRESHOLD = 1.0 - 1e-4


def replace_cif(graph: Graph, alphas: str, hidden: str, token_num: str, embeds: str) -> str:
    """Compute `embeds` anew, for at least one token, and return the number of tokens.

    A batch in which nothing fires gets one dummy token: no operator of the decoder then sees an
    empty tensor. Rows with fewer tokens than others have such dummies already; the decoder masks
    them by `token_num`.

    Args:
        graph: gets the nodes.
        alphas: float32 [B, T + 1], the tail's weight included.
        hidden: float32 [B, T, D], zero beyond each row's length.
        token_num: int32 [B].
        embeds: [B, N, D], what the graph computed so far.

    Returns:
        Name of an int64 scalar: N = max(1, largest token_num).
    """
    largest = graph.reduce("ReduceMax", graph.cast(token_num, INT64), 0)
    num_tokens = graph.add("Max", [largest, graph.constant(1, np.int64)])
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    token_index = graph.cast(graph.add("Range", [zero, num_tokens, one]), DOUBLE)
    # In double precision: after a minute of float32 sums a token's edges are off by 1e-5.
    total = graph.add("CumSum", [graph.cast(alphas, DOUBLE), graph.constant(1, np.int64)])
    above = graph.add("Sub", [graph.unsqueeze(total, 1), graph.unsqueeze(token_index, 0, 2)])
    clipped = graph.add(
        "Clip", [above, graph.constant(0.0, np.float64), graph.constant(1.0, np.float64)]
    )  # [B, N, T + 1]
    # The overlap is the difference along time; the tail's frame has no hidden state to weigh.
    until_tail = _slice_time(graph, clipped, 0, -1)
    before = graph.add(
        "Pad",
        [_slice_time(graph, clipped, 0, -2), graph.constant([0, 0, 1, 0, 0, 0], np.int64)],
    )
    overlap = graph.cast(graph.add("Sub", [until_tail, before]), FLOAT)
    graph.replace_uses(embeds, graph.add("MatMul", [overlap, hidden]))
    return num_tokens


def guard_cif(graph: Graph, alphas: str, summation: NodeProto, token_num: str, embeds: str) -> str:
    """Keep the exported CIF to the bit, but let every row fire at least one token.

    A row without tokens gets the weights 1, 0, 0, ... and so one dummy, which the decoder masks by
    `token_num`: the exports fail where nothing fires, BiCif's already where one row does not. This
    is for dynamic int8, where a difference in the last bit before the decoder changes tokens
    behind it, so that only the same bits can be proved equal.

    Args:
        graph: gets the nodes.
        alphas: float32 [B, T + 1], the tail's weight included.
        summation: the node that sums alphas for `token_num`; goes on with the true weights.
        token_num: int32 [B].
        embeds: [B, N, D], what CIF gives to the decoder.

    Returns:
        Name of an int64 scalar: N, now at least 1.
    """
    readers = [node for node in graph.consumers(alphas) if node is not summation]
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    index = graph.add("Range", [zero, graph.dim(alphas, 1), one])
    firing = graph.cast(graph.add("Equal", [index, zero]), FLOAT)
    silent = graph.add("Less", [graph.cast(token_num, INT64), one])
    guarded = graph.add("Where", [graph.unsqueeze(silent, 1), firing, alphas])
    for node in readers:
        rename_inputs(node, alphas, guarded)
    return graph.dim(embeds, 1)


def cif_peaks(graph: Graph, alphas: str) -> str:
    """Add nodes for the integral that fires at the threshold, float32 [B, U].

    Each frame holds what had been integrated since the last fire, its own weight included, as
    FunASR's `cif_wo_hidden` gives it. Differs from it only where one frame weighs two thresholds.

    Args:
        graph: gets the nodes.
        alphas: float32 [B, U].
    """
    threshold = graph.constant(np.float32(PEAK_THRESHOLD), np.float64)
    weights = graph.cast(alphas, DOUBLE)
    total = graph.add("CumSum", [weights, graph.constant(1, np.int64)])
    fired = graph.add("Floor", [graph.add("Div", [total, threshold])])
    start = graph.constant([0, 1, 0, 0], np.int64)
    fired_before = graph.add("Pad", [_slice_axis(graph, fired, 1, 0, -1), start])
    spent = graph.add("Mul", [fired_before, threshold])
    return graph.cast(graph.add("Sub", [total, spent]), FLOAT)


def _slice_time(graph: Graph, values: str, start: int, end: int) -> str:
    return _slice_axis(graph, values, 2, start, end)


def _slice_axis(graph: Graph, values: str, axis: int, start: int, end: int) -> str:
    bounds = [graph.constant([number], np.int64) for number in (start, end, axis)]
    return graph.add("Slice", [values, *bounds])
