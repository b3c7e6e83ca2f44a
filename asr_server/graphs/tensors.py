"""Inputs and outputs that a model's configuration leaves to its graph, whose widths they have."""

from __future__ import annotations

from dataclasses import dataclass

from asr_server.graphs.graph import FLOAT, INT32, Graph
from asr_server.models.names import GraphKind

_LEFT_OPEN: frozenset[GraphKind] = frozenset({"streaming_encoder", "streaming_decoder"})
_TYPES = {FLOAT: "TYPE_FP32", INT32: "TYPE_INT32"}


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        data_type: Triton's name.
        dims: without the batch's, -1 where dynamic.
    """

    data_type: str
    dims: tuple[int, ...]


def tensors_left_open(kind: GraphKind, prepared: Graph) -> dict[str, dict[str, Tensor]]:
    """Return the tensors of a graph under "input" and "output", by name, in their order.

    Args:
        kind: of the graph.
        prepared: declares all widths: a Triton of another release knows them from the file alone.

    Returns:
        Nothing where the configuration has them itself.
    """
    if kind not in _LEFT_OPEN:
        return {}
    proto = prepared.model.graph
    return {
        what: {
            value.name: Tensor(
                _TYPES[value.type.tensor_type.elem_type],
                tuple(dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim[1:]),
            )
            for value in values
        }
        for what, values in (("input", proto.input), ("output", proto.output))
    }
