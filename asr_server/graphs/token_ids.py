"""Ends the graph in token ids and their scores, so that logits need not leave it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_server.graphs.graph import FLOAT, INT32, Graph
from asr_server.graphs.row_loop import Width

# Each token's or frame's best, from which a decoder chooses. The search for eight costs a CPU no
# more than that for the best alone: ONNX Runtime's TopK is faster than its ArgMax and ReduceMax.
CANDIDATES = 8
TOKEN_OUTPUTS = ("token_ids", "token_scores", "candidate_ids", "candidate_scores")


def end_in_token_ids(graph: Graph, logits: str) -> None:
    """Add the best id of each row of `logits`, and the best `CANDIDATES` ids, with their scores.

    The outputs are `token_ids` int32 and `token_scores` float32, one of each per row, and
    `candidate_ids` and `candidate_scores` with one axis more, the best first.

    A score is the log-probability of the id. Logits that come from a `LogSoftmax` are
    log-probabilities already; others are normalised. (`ReduceLogSumExp` would save a tensor, but
    over 25,000 classes ONNX Runtime's is twenty times less precise than `LogSoftmax`, and slower.)
    The best are sought in the logits: rounding may make two log-probabilities equal.
    """
    last = [graph.constant([number], np.int64) for number in (-1, 2**31)]
    classes = graph.add("Slice", [graph.add("Shape", [logits]), *last])
    count = graph.add("Min", [classes, graph.constant([CANDIDATES], np.int64)])
    _, best = graph.add_several("TopK", [logits, count], 2, axis=-1)
    graph.add("Cast", [best], name="candidate_ids", to=INT32)
    node = graph.producer(logits)
    if node is None or node.op_type != "LogSoftmax":
        logits = graph.add("LogSoftmax", [logits], axis=-1)
    graph.add("GatherElements", [logits, best], name="candidate_scores", axis=-1)
    first = graph.constant(0, np.int64)
    for name in ("ids", "scores"):
        graph.add("Gather", [f"candidate_{name}", first], name=f"token_{name}", axis=-1)


def token_outputs(rows: str) -> dict[str, tuple[int, Sequence[str]]]:
    """Return types and dimensions of the outputs that `end_in_token_ids` adds.

    Args:
        rows: name of the axis of tokens or frames.
    """
    axes = ["batch", rows]
    return {
        "token_ids": (INT32, axes),
        "token_scores": (FLOAT, axes),
        "candidate_ids": (INT32, [*axes, "candidates"]),
        "candidate_scores": (FLOAT, [*axes, "candidates"]),
    }


def token_widths(extra: int = 0, of: str = "speech", at_most: bool = False) -> dict[str, Width]:
    """Return the widths of the same outputs; arguments as of `Width`."""
    one = Width(1, extra, of, at_most)
    several = Width(1, extra, of, at_most, CANDIDATES)
    return {
        "token_ids": one,
        "token_scores": one,
        "candidate_ids": several,
        "candidate_scores": several,
    }
