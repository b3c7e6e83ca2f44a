"""Caches of streaming graphs, packed into one tensor.

A voice activity detector adds more columns to its cache than that holds: it gives the next cache. A
decoder adds fewer: it gives these alone, and whoever calls it keeps the cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import INT64, Graph
from asr_server.graphs.nodes import attribute_value, swaps_time

CACHE, NEXT_CACHE = "cache", "next_cache"
CACHED_COLUMNS, NEW_COLUMNS = "cached_columns", "new_columns"


def flat_lengths(graph: Graph, lengths: str, element_type: int) -> str:
    """Add nodes that turn `lengths` [B, 1] into [B], of another element type.

    Triton has no tensors without a second dimension in batches.
    """
    flat = graph.add("Squeeze", [lengths, graph.constant([1], np.int64)])
    return graph.cast(flat, element_type)


def joined_cache(graph: Graph, before: str, after: str) -> str:
    """Return a layer's cache joined with the columns of this call, of which FunASR keeps the end.

    Args:
        graph: of the decoder.
        before: the layer's cache, an input [B, D, K], maybe with a last dimension of 1.
        after: its next cache, an output.

    Raises:
        PrepareError: the next cache is not the end of such a tensor.
    """
    joined: str = _joint(graph, before, after).output[0]
    return joined


def _joint(graph: Graph, before: str, after: str) -> NodeProto:
    """Return the node that joins a layer's cache with the columns of this call."""
    cut = graph.producer(after)
    joint = graph.producer(cut.input[0]) if cut is not None and cut.op_type == "Slice" else None
    columns = (2, 2 - len(graph.declared_dims(before)))
    if (
        joint is None
        or joint.op_type != "Concat"
        or len(joint.input) != 2
        or graph.origin(joint.input[0]) != before
        or attribute_value(joint, "axis") not in columns
    ):
        raise PrepareError(
            f"{after}: expected the end of {before} and this call's columns, found "
            f"{cut.op_type if cut is not None else 'no node'} <- "
            f"{joint.op_type if joint is not None else 'another node'}"
        )
    return joint


def add_next_cache(graph: Graph, joined: Sequence[str], lengths: str) -> None:
    """Keep of each row the columns that end with its own last one, not with the batch's.

    Adds the output `next_cache`, of the shape of the input `cache` [B, L, D, K].

    Args:
        graph: gets the nodes and the output.
        joined: [B, D, K + N] of each layer, its cache and the columns of this call.
        lengths: [B], each row's own columns of this call.
    """
    packed = graph.add("Concat", [graph.unsqueeze(name, 1) for name in joined], axis=1)
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    column = graph.add("Range", [zero, graph.dim(CACHE, 3), one])
    first = graph.unsqueeze(graph.cast(lengths, INT64), 1)
    index = graph.unsqueeze(graph.add("Add", [first, column]), 1, 2)  # [B, 1, 1, K]
    everywhere = graph.add("Expand", [index, graph.add("Shape", [CACHE])])
    graph.add("GatherElements", [packed, everywhere], name=NEXT_CACHE, axis=3)


def carry_columns(graph: Graph, layers: Sequence[tuple[str, str]]) -> None:
    """Read the caches of all layers from one input, and give out what this call adds to them.

    The input `cached_columns` is [B, K, L, D], the output `new_columns` [B, N, L, D]: a column of
    all layers for each token.

    Args:
        graph: gets the nodes and the output; the input is not declared.
        layers: of each its cache, an input [B, D, K], and its next one, an output.

    Raises:
        PrepareError: a next cache is not the end of the cache and this call's columns.
    """
    added = []
    for layer, (before, after) in enumerate(layers):
        joint = _joint(graph, before, after)
        back = graph.producer(joint.input[1])
        if back is not None and swaps_time(back):
            columns = back.input[0]
        else:
            columns = graph.add("Transpose", [joint.input[1]], perm=[0, 2, 1])
        cached = graph.add("Gather", [CACHED_COLUMNS, graph.constant(layer, np.int64)], axis=2)
        both = graph.add("Concat", [cached, columns], axis=1)
        graph.replace_uses(joint.output[0], graph.add("Transpose", [both], perm=[0, 2, 1]))
        added.append(graph.unsqueeze(columns, 2))
    # Apart from the output, so that what is joined may be float16 while this is float32.
    graph.add("Identity", [graph.add("Concat", added, axis=2)], name=NEW_COLUMNS)
