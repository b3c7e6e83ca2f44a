"""The logits inside a prepared graph, which ends in token ids, and how far two graphs' differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import Graph

CANDIDATE_IDS = "candidate_ids"

Logits = NDArray[np.float32]  # [tokens or frames, vocabulary]


def find_logits(graph: Graph) -> str:
    """Return the tensor whose largest entry is the token id.

    Raises:
        PrepareError: the graph does not end in token ids.
    """
    best = graph.producer(graph.origin(CANDIDATE_IDS))
    if best is None or best.op_type != "TopK":
        raise PrepareError(f"{CANDIDATE_IDS}: expected a TopK, found none")
    return str(best.input[0])


def output_layer(graph: Graph) -> NodeProto:
    """Return the matrix product with the vocabulary.

    Raises:
        PrepareError: there is none before the token ids.
    """
    waiting = [find_logits(graph)]
    while waiting:
        node = graph.producer(waiting.pop())
        if node is not None and node.op_type == "MatMul":
            return node
        if node is not None:
            waiting += node.input
    raise PrepareError("no matrix product found before the token ids")


def add_logits_output(model: ModelProto) -> str:
    """Let a prepared graph without a row loop give its logits too; return the output's name."""
    name = find_logits(Graph(model))
    dims = ["rows", "steps", "classes"]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
    return name


@dataclass(frozen=True)
class LogitError:
    """How far the logits of two graphs differ.

    Attributes:
        recordings: in which both give as many tokens; others are not compared.
        steps: tokens or frames in them.
        largest, mean: difference of two logits.
        spread: standard deviation of the first graph's logits, to compare with.
        equal_choices: steps in which the largest logit belongs to the same token.
    """

    recordings: int
    steps: int
    largest: float
    mean: float
    spread: float
    equal_choices: int


def compare_logits(expected: Sequence[Logits], got: Sequence[Logits]) -> LogitError:
    """Compare the logits of two graphs on the same recordings.

    Raises:
        PrepareError: they differ in the number of tokens in every recording.
    """
    pairs = [
        (one, other)
        for one, other in zip(expected, got, strict=True)
        if len(one) and one.shape == other.shape
    ]
    if not pairs:
        raise PrepareError("the graphs give different numbers of tokens in every recording")
    first: NDArray[Any] = np.concatenate([one for one, _ in pairs])
    second: NDArray[Any] = np.concatenate([other for _, other in pairs])
    difference = np.abs(first - second)
    return LogitError(
        recordings=len(pairs),
        steps=len(first),
        largest=float(difference.max()),
        mean=float(difference.mean()),
        spread=float(first.std()),
        equal_choices=int((first.argmax(-1) == second.argmax(-1)).sum()),
    )
