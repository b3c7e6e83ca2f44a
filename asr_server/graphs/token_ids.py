"""Ends the graph in token ids and their scores, so that logits need not leave it."""

from __future__ import annotations

from asr_server.graphs.graph import INT32, Graph


def end_in_token_ids(graph: Graph, logits: str) -> None:
    """Add `token_ids` int32 and `token_scores` float32, one of each per row of `logits`.

    The score is the log-probability of the chosen id. Logits that come from a `LogSoftmax` are
    log-probabilities already; others are normalised. (`ReduceLogSumExp` would save a tensor, but
    over 25,000 classes ONNX Runtime's is twenty times less precise than `LogSoftmax`, and slower.)
    """
    best = graph.add("ArgMax", [logits], axis=-1, keepdims=0)
    graph.add("Cast", [best], name="token_ids", to=INT32)
    node = graph.producer(logits)
    if node is None or node.op_type != "LogSoftmax":
        logits = graph.add("LogSoftmax", [logits], axis=-1)
    graph.add("Identity", [graph.reduce("ReduceMax", logits, -1)], name="token_scores")
