"""Requests of any lengths in one batch: the graph lays their rows out itself.

Triton's dynamic batcher joins requests of different lengths where an input says
`allow_ragged_batch: true`; the graph then gets all their elements end to end, as one tensor of one
axis. The shape of each row comes with it, as a `batch_input` of kind `BATCH_ITEM_SHAPE`, which
Triton takes from the tensors themselves: nobody can claim another.

Source: Triton's `docs/user_guide/ragged_batching.md` and `model_config.proto`, `BatchInput`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from asr_server.graphs.subgraphs import rename_values

SPEECH, LENGTHS, SHAPES = "speech", "speech_lengths", "speech_shape"
_PREFIX = "layout/"
# What the graph reads in the place of its inputs.
_INNER = {SPEECH: f"{_PREFIX}speech", LENGTHS: f"{_PREFIX}speech_lengths"}


def end_to_end(rows: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """Return the inputs `speech` and `speech_shape` for rows [T_i, D], as Triton gives them."""
    return {
        SPEECH: np.concatenate([row.reshape(-1) for row in rows]),
        SHAPES: np.array([row.shape for row in rows], np.int32),
    }


def lay_rows_out(model: ModelProto) -> None:
    """Let a graph take `speech` end to end, and lay the rows out in front of what it was.

    Where rows differ in length, elements of its neighbours stand behind a shorter one. A prepared
    graph reads nothing beyond `speech_lengths`, and these are limited to a row's own frames: who
    states more gets no neighbour's audio.

    Args:
        model: takes `speech` float32 [B, T, D]; is changed in place. Now it takes `speech` float32
            [sum of B x T x D] and `speech_shape` int32 [B, 2], each row's own T (at least 1) and D.
    """
    graph = model.graph
    inputs = {value.name: value for value in graph.input}
    dim = inputs[SPEECH].type.tensor_type.shape.dim[2].dim_value
    for node in graph.node:
        rename_values(node, _INNER)
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(_layout(dim))
    graph.node.extend(nodes)
    inputs[SPEECH].CopyFrom(helper.make_tensor_value_info(SPEECH, TensorProto.FLOAT, ["elements"]))
    graph.input.append(helper.make_tensor_value_info(SHAPES, TensorProto.INT32, ["batch", 2]))


def take_rows_padded(model: ModelProto) -> None:
    """Undo `lay_rows_out`: the graph takes `speech` float32 [B, T, D] again.

    Args:
        model: is changed in place; one without a layout stays as it is.
    """
    graph = model.graph
    layout = [node for node in graph.node if node.name.startswith(_PREFIX)]
    if not layout:
        return
    (dim,) = (
        int(numpy_helper.to_array(node.attribute[0].t)[1])
        for node in layout
        if node.output[0] == f"{_PREFIX}table_shape"
    )
    for node in layout:
        graph.node.remove(node)
    for node in graph.node:
        rename_values(node, {inner: name for name, inner in _INNER.items()})
    for value in list(graph.input):
        if value.name == SHAPES:
            graph.input.remove(value)
        elif value.name == SPEECH:
            dims: list[str | int | None] = ["batch", "frames", dim]
            value.CopyFrom(helper.make_tensor_value_info(SPEECH, TensorProto.FLOAT, dims))


def _layout(dim: int) -> list[NodeProto]:
    """Return nodes that make the rows [B, longest T, dim], and their lengths, of the inputs."""
    return [
        _constant("table_shape", np.array([-1, dim], np.int64)),
        _constant("zero", np.array(0, np.int64)),
        _constant("one", np.array(1, np.int64)),
        _constant("axis", np.array([1], np.int64)),
        _node("Reshape", [SPEECH, "table_shape"], "table"),  # a row for each frame
        _node("Gather", [SHAPES, "zero"], "stated", axis=1),
        _node("Cast", ["stated"], "frames", to=TensorProto.INT64),  # [B]
        _node("CumSum", ["frames", "zero"], "ends"),
        _node("Sub", ["ends", "frames"], "starts"),
        _node("ReduceMax", ["frames"], "longest", keepdims=0),
        _node("Range", ["zero", "longest", "one"], "columns"),
        _node("Unsqueeze", ["starts", "axis"], "first"),
        _node("Add", ["first", "columns"], "places"),  # [B, longest]
        _node("Shape", ["table"], "size"),
        _node("Gather", ["size", "zero"], "total", axis=0),
        _node("Sub", ["total", "one"], "last"),
        _node("Min", ["places", "last"], "within"),
        _node("Gather", ["table", "within"], SPEECH, axis=0),
        _node("Min", [LENGTHS, "stated"], "least"),
        _constant("none", np.array(0, np.int32)),
        _node("Max", ["least", "none"], LENGTHS),
    ]


def _constant(name: str, value: Any) -> NodeProto:
    tensor = numpy_helper.from_array(value, name)
    return helper.make_node("Constant", [], [_PREFIX + name], _PREFIX + name, value=tensor)


def _node(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> NodeProto:
    """Make a node of the layout; names of inputs are those of the layout but for the graph's."""
    outer = (SPEECH, LENGTHS, SHAPES)
    names = [name if name in outer else _PREFIX + name for name in inputs]
    return helper.make_node(operator, names, [_PREFIX + output], _PREFIX + output, **attributes)
