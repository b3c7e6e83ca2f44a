"""CIF with a threshold of each recording's own, so that no weight is left over at its end.

Integrate-and-fire with a fixed threshold of 1 leaves what remains of the weights' sum, up to half a
token, and each border comes as much earlier or later as the sum is off. In training, Paraformer
scales the weights so that they sum to the length of the text; here they are scaled to their sum,
rounded, which is the same as a threshold of sum / rounded sum.

Source: Gao and others, "Paraformer" (2022), https://arxiv.org/abs/2206.08317, section 3; FunASR's
`CifPredictorV2` with the rounded sum as `target_length`.
"""

from __future__ import annotations

import numpy as np

from asr_server.graphs import patterns
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import DOUBLE, FLOAT, INT64, Graph

LENGTHS = "speech_lengths"
_TAIL = 0.45  # FunASR's, of the frame behind the last: a sum that is a whole number fires as many


def use_dynamic_threshold(graph: Graph) -> None:
    """Let an export fire as many tokens as the rounded sum of its weights.

    Args:
        graph: FunASR's export of Paraformer, BiCif, Contextual or SeACo Paraformer, whose inputs
            and outputs stay; `token_num` is the rounded sum.

    Raises:
        PrepareError: it is none.
    """
    if not {LENGTHS} <= graph.input_types.keys() or "token_num" not in graph.output_names:
        raise PrepareError("expected FunASR's export of an offline Paraformer")
    alphas, _ = patterns.cif_weights(graph, "token_num")  # [B, T + 1], the tail's weight included
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    frame = graph.unsqueeze(graph.add("Range", [zero, graph.dim(alphas, 1), one]), 0)
    is_tail = graph.add("Equal", [frame, graph.unsqueeze(graph.cast(LENGTHS, INT64), 1)])
    spoken = graph.add("Where", [is_tail, graph.constant(0.0, np.float32), alphas])
    total = graph.reduce("ReduceSum", graph.cast(spoken, DOUBLE), 1, keepdims=True)
    rounded = graph.add("Floor", [graph.add("Add", [total, graph.constant(0.5, np.float64)])])
    least = graph.constant(np.finfo(np.float32).tiny, np.float64)  # of silence
    factor = graph.cast(graph.add("Div", [rounded, graph.add("Max", [total, least])]), FLOAT)
    scaled = graph.add("Mul", [spoken, factor])
    tail = graph.constant(_TAIL, np.float32)
    whole = graph.add("Where", [is_tail, tail, scaled])
    measured = [node.output[0] for node in graph.consumers(alphas) if node.op_type == "Shape"]
    graph.replace_uses(alphas, whole, except_for=[spoken, *measured])
    graph.finish()
