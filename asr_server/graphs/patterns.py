"""Finds the places to edit by which input reaches which operator; names of nodes do not matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import FLOAT, Graph
from asr_server.graphs.nodes import attribute_value
from asr_server.graphs.separators import separators

_ROUNDING = frozenset({"Floor", "Round", "Cast", "Identity"})


def encoder_output(graph: Graph, sinks: list[str]) -> str:
    """Return the last tensor that everything computed from the speech goes through.

    It is the encoder's output [B, T, D]: behind it the paths to predictor and decoder part.

    Raises:
        PrepareError: there is no such tensor.
    """
    found = separators(graph, "speech", sinks)
    if not found or found[-1] in sinks:
        raise PrepareError(
            "no encoder output found: expected one tensor computed from 'speech' that all of "
            f"{', '.join(sinks)} depend on"
        )
    return found[-1]


def cif_weights(graph: Graph, token_num: str) -> tuple[str, NodeProto]:
    """Return alphas [B, T + 1], whose rounded sum is `token_num`, and the node that sums them.

    Raises:
        PrepareError: `token_num` is computed in another way.
    """
    node = graph.producer(token_num)
    steps = []
    while node is not None and node.op_type in _ROUNDING:
        steps.append(node.op_type)
        node = graph.producer(node.input[0])
    if node is None or node.op_type != "ReduceSum" or "Floor" not in steps:
        found = " <- ".join([*steps, node.op_type if node is not None else "an input"])
        raise PrepareError(
            f"{token_num}: expected floor or round of the floor of a sum of CIF weights, "
            f"found {found}"
        )
    return node.input[0], node


def acoustic_embeds(graph: Graph, alphas: str, summation: NodeProto, logits: str) -> str:
    """Return the tensor [B, N, D] that CIF gives to the decoder.

    It is the first tensor that all paths from `alphas` to `logits` go through, token counts aside.

    Raises:
        PrepareError: there is no such tensor before `logits`.
    """
    found = separators(graph, alphas, [logits], without=summation)
    casts = {node.output[0] for node in graph.nodes if node.op_type == "Cast"}
    found = [name for name in found if name not in casts]
    if len(found) < 2:  # the logits are always one
        raise PrepareError("no acoustic embeddings found between the CIF weights and the decoder")
    return found[0]


def length_maxima(graph: Graph, lengths: str) -> list[tuple[str, int]]:
    """Return every maximum over the batch of `lengths` plus a constant: tensor and constant."""
    found = []
    for node in graph.nodes:
        if node.op_type != "ReduceMax":
            continue
        offset = length_offset(graph, node.input[0], lengths)
        if offset is not None:
            found.append((node.output[0], offset))
    return found


def length_offset(graph: Graph, tensor: str, lengths: str) -> int | None:
    """Return c where `tensor` is `lengths` + c, through casts and changes of shape; else None."""
    offset = 0
    tensor = graph.origin(tensor, stop=lengths)
    while tensor != lengths:
        node = graph.producer(tensor)
        if node is None or node.op_type not in ("Add", "Sub"):
            return None
        right = graph.constant_value(graph.origin(node.input[1]))
        if right is None or right.size != 1:
            return None
        offset += int(right.item()) * (1 if node.op_type == "Add" else -1)
        tensor = graph.origin(node.input[0], stop=lengths)
    return offset


@dataclass(frozen=True)
class MaskTable:
    """A mask looked up in a triangular table instead of computed.

    Attributes:
        frames: the table's size; no length may exceed it.
        gather: the node that picks a row for each length.
        flipped: the table marks padding, not content.
    """

    frames: int
    gather: NodeProto
    flipped: bool


def mask_tables(graph: Graph) -> list[MaskTable]:
    """Return the masks that an older exporter baked as `np.tri` tables.

    Source: FunASR before #1455, `funasr/utils/torch_function.py`, `MakePadMask`.
    """
    found = []
    for node in graph.nodes:
        if node.op_type != "Gather" or attribute_value(node, "axis", 0) != 0:
            continue
        table = graph.constant_value(graph.origin(node.input[0]))
        if table is None or table.ndim != 2 or table.shape[0] != table.shape[1] or len(table) < 8:
            continue
        for flipped in (False, True):
            if _is_triangular(table, flipped):
                found.append(MaskTable(len(table), node, flipped))
    return found


def _is_triangular(table: NDArray[Any], flipped: bool) -> bool:
    ones = np.tri(len(table), dtype=bool)
    return bool(np.array_equal(table.astype(bool), ~ones if flipped else ones))


def recurrent_layers(graph: Graph) -> list[NodeProto]:
    """Return LSTM and GRU nodes without lengths of their sequences."""
    return [
        node
        for node in graph.nodes
        if node.op_type in ("LSTM", "GRU") and (len(node.input) < 5 or not node.input[4])
    ]


def is_dynamic_int8(graph: Graph) -> bool:
    """Tell whether activations are quantised at run time with one scale for the whole tensor."""
    return any(node.op_type == "DynamicQuantizeLinear" for node in graph.nodes)


def check_signature(
    graph: Graph, inputs: list[str], outputs: list[str], first_type: int = FLOAT
) -> None:
    """Raise `PrepareError` unless the graph has exactly these inputs and outputs.

    Args:
        graph: to look at.
        inputs: names, in any order but for the first.
        outputs: names, in any order.
        first_type: element type that the first input must have.
    """
    found_inputs, found_outputs = list(graph.input_types), graph.output_names
    if sorted(found_inputs) != sorted(inputs) or sorted(found_outputs) != sorted(outputs):
        raise PrepareError(
            f"expected inputs {', '.join(inputs)} and outputs {', '.join(outputs)}; "
            f"got inputs {', '.join(found_inputs)} and outputs {', '.join(found_outputs)}"
        )
    if graph.input_types[inputs[0]] != first_type:
        expected, found = (
            TensorProto.DataType.Name(number)
            for number in (first_type, graph.input_types[inputs[0]])
        )
        raise PrepareError(f"input {inputs[0]}: expected {expected}, got {found}")
