"""Lets each row of a Paraformer attend to its own hotwords.

Rows with fewer hotwords than others have zeros in the place of the missing ones, which no softmax
may count.

Of more than 50 hotwords SeACo keeps those that the row attends to most (its "attention score
filter"). The export adds up the attention of the batch's first row and filters for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from asr_server.graphs import masks
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import INT64, Graph
from asr_server.graphs.nodes import attribute_value

BIAS_EMBED = "bias_embed"
BIAS_EMBED_LENGTHS = "bias_embed_lengths"
_PASSING = frozenset({"Cast", "Identity"})
_LAYER = frozenset({"Transpose", "Reshape", "Split", "Add", "MatMul", *_PASSING})


def hotword_dim(graph: Graph) -> int:
    """Return the width of a hotword's embedding, 1 for a graph without hotwords.

    Raises:
        PrepareError: the graph does not say it.
    """
    if BIAS_EMBED not in graph.input_types:
        return 1
    dims = graph.declared_dims(BIAS_EMBED)
    if len(dims) != 3 or not isinstance(dims[2], int):
        raise PrepareError(f"{BIAS_EMBED}: expected [batch, hotwords, a number], got {dims}")
    return dims[2]


@dataclass(frozen=True)
class HotwordFilter:
    """Where the hotwords are chosen.

    Attributes:
        attention: [B, H, N, W], of heads and tokens to hotwords.
        best: the `TopK` that sorts the hotwords.
        chosen: [B, K, D], the embeddings that are kept.
        limit: largest K.
    """

    attention: str
    best: NodeProto
    chosen: str
    limit: int


def find_filter(graph: Graph) -> HotwordFilter:
    """Find the filter: ... -> Gather(row 0) -> sums -> TopK -> Slice -> Gather(hotwords).

    Raises:
        PrepareError: it is written in another way.
    """
    readers = [
        node
        for node in graph.consumers(BIAS_EMBED)
        if node.op_type == "Gather" and attribute_value(node, "axis", 0) == 1
    ]
    if len(readers) != 1:
        raise PrepareError(f"expected one choice of hotwords, found {len(readers)}")
    (reader,) = readers
    cut = _producer(graph, reader.input[1], "Slice")
    ends = graph.constant_value(cut.input[2]) if len(cut.input) > 2 else None
    if ends is None or ends.size != 1:
        raise PrepareError("choice of hotwords: expected a constant number of them")
    best = _producer(graph, cut.input[0], "TopK")
    over_tokens = _producer(graph, best.input[0], "ReduceSum")
    over_heads = _producer(graph, over_tokens.input[0], "ReduceSum")
    first_row = _producer(graph, over_heads.input[0], "Gather")
    row = graph.constant_value(first_row.input[1])
    if row is None or row.size != 1 or row.item() != 0:
        raise PrepareError("choice of hotwords: expected the attention of the first row")
    return HotwordFilter(first_row.input[0], best, reader.output[0], int(ends.item()))


def _producer(graph: Graph, tensor: str, op_type: str) -> NodeProto:
    node = graph.producer(tensor)
    while node is not None and node.op_type in _PASSING:
        node = graph.producer(node.input[0])
    if node is None or node.op_type != op_type:
        found = "an input" if node is None else node.op_type
        raise PrepareError(f"choice of hotwords: expected {op_type}, found {found}")
    return node


def choose_by_row(
    graph: Graph, found: HotwordFilter, num_tokens: str, token_num: str
) -> dict[str, str]:
    """Let each row keep the hotwords that its own tokens attend to most.

    Args:
        graph: gets the nodes.
        found: the filter.
        num_tokens: int64 scalar N.
        token_num: int32 [B].

    Returns:
        The embeddings that are kept [B, K, D], and which of them are the row's own, bool [B, K].
    """
    mask = graph.unsqueeze(masks.frame_mask(graph, num_tokens, token_num), 1, 3)
    own = masks.keep_where(graph, mask, found.attention)
    scores = graph.reduce("ReduceSum", graph.reduce("ReduceSum", own, 1), 1)  # [B, W]
    limit = graph.constant(found.limit, np.int64)
    number = graph.add("Min", [graph.dim(BIAS_EMBED, 1), limit])
    del found.best.input[:], found.best.attribute[:]
    found.best.input.extend([scores, graph.unsqueeze(number, 0)])
    found.best.attribute.append(helper.make_attribute("axis", -1))
    numbers = found.best.output[1]
    kept = graph.add("GatherND", [BIAS_EMBED, graph.unsqueeze(numbers, 2)], batch_dims=1)
    graph.replace_uses(found.chosen, kept)
    # Nobody attends to what is not there, so that it is the last of all.
    own_words = graph.unsqueeze(graph.cast(BIAS_EMBED_LENGTHS, INT64), 1)
    return {kept: graph.add("Less", [numbers, own_words])}


def mask_hotwords(graph: Graph, kept: Mapping[str, str]) -> int:
    """Let each row attend to its own hotwords only, `bias_embed_lengths` of them.

    Args:
        graph: gets the nodes.
        kept: what a filter keeps, as `choose_by_row` says.

    Returns:
        Number of changed attentions.

    Raises:
        PrepareError: none is found.
    """
    present = masks.frame_mask(graph, graph.dim(BIAS_EMBED, 1), BIAS_EMBED_LENGTHS)
    known = {name: graph.unsqueeze(mask, 1, 2) for name, mask in kept.items()}
    known[BIAS_EMBED] = graph.unsqueeze(present, 1, 2)  # [B, 1, 1, W]
    nothing = graph.constant(-np.inf, np.float32)
    changed = 0
    for node in list(graph.nodes):
        product = _score_product(graph, node) if node.op_type == "Softmax" else None
        if product is None:
            continue
        mask = known.get(_embeddings(graph, product.input[1]), "")
        if mask:
            node.input[0] = graph.add("Where", [mask, node.input[0], nothing])
            changed += 1
    if not changed:
        raise PrepareError(f"{BIAS_EMBED}: expected attention to it, found none")
    return changed


def _score_product(graph: Graph, softmax: NodeProto) -> NodeProto | None:
    """Return the product of queries and keys that a softmax is taken of."""
    node = graph.producer(softmax.input[0])
    while node is not None and node.op_type in ("Add", "Div", "Mul", *_PASSING):
        node = graph.producer(node.input[0])
    return node if node is not None and node.op_type == "MatMul" else None


def _embeddings(graph: Graph, keys: str) -> str:
    """Return what keys are made of, by one layer."""
    node = graph.producer(keys)
    while node is not None and node.op_type in _LAYER:
        keys = next(
            (name for name in node.input if graph.constant_value(name) is None), node.input[0]
        )
        node = graph.producer(keys)
    return keys
