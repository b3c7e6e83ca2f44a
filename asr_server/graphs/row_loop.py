"""Runs a graph row by row at each row's true length, inside the graph itself.

Dynamic int8 (`DynamicQuantizeLinear`) takes one activation scale for a whole tensor, so a row's
answer would depend on its neighbours and on padding. A `Loop` over the rows, each cut at its own
length, gives every row exactly what it gets alone, whatever batch a server forms. On a CPU that
costs nothing: batching a model of full size gains nothing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from asr_server.graphs.nodes import used_names
from asr_server.graphs.subgraphs import rename_values

ROW, CONDITION, KEEP_GOING = "row_index", "row_condition", "row_keep_going"


@dataclass(frozen=True)
class Width:
    """Columns of a padded output: `per_frame` x n + `extra`, n being axis 1 of the input `of`.

    Rows may have less where it says `at_most`. A column is `values` numbers, or a single one of no
    axis of its own where that is 0.
    """

    per_frame: int
    extra: int = 0
    of: str = "speech"
    at_most: bool = False
    values: int = 0


@dataclass(frozen=True)
class RowLoop:
    """What a loop over the rows does with inputs and outputs; those not named stay whole.

    Attributes:
        cuts: for each input [B, n, ...] that is cut, the input [B] or [B, 1] that says where. At
            least one column is left, as operators fail on none.
        widths: for each output [B, n, ...], the n that its rows are padded to with zeros; no row
            may be longer.
        counts: outputs [B], int32, of which a row without columns of the first cut gets 0. If
            there are any, the graph inside sees such a row as one of length 1.
    """

    cuts: Mapping[str, str]
    widths: Mapping[str, Width]
    counts: frozenset[str] = field(default_factory=frozenset)


def loop_over_rows(model: ModelProto, loop: RowLoop) -> None:
    """Put the whole graph into a loop over its rows; inputs and outputs keep their names.

    Args:
        model: is changed in place.
        loop: what to cut and to pad.
    """
    body = GraphProto(name="one_row")
    body.node.extend(_take_row(model, loop))
    body.node.extend(_renamed(model, loop))
    first = next(iter(loop.cuts))
    outer = [helper.make_node("Shape", [first], ["batch_shape"])]
    outer += _constants()
    outer.append(helper.make_node("Gather", ["batch_shape", "loop_zero"], ["num_rows"], axis=0))
    for output in model.graph.output:
        rank = len(output.type.tensor_type.shape.dim)
        if output.name in loop.widths:
            outer += _width(output.name, loop.widths[output.name])
            body.node.extend(_pad_row(output.name, rank))
        else:
            body.node.extend(_put_row(output.name, output.name in loop.counts))
    body.node.append(helper.make_node("Identity", [CONDITION], [KEEP_GOING]))
    body.input.append(helper.make_tensor_value_info(ROW, TensorProto.INT64, []))
    body.input.append(helper.make_tensor_value_info(CONDITION, TensorProto.BOOL, []))
    body.output.append(helper.make_tensor_value_info(KEEP_GOING, TensorProto.BOOL, []))
    for output in model.graph.output:
        dims = output.type.tensor_type.shape.dim[1:]
        shape = [dim.dim_value or dim.dim_param for dim in dims]
        element = output.type.tensor_type.elem_type
        body.output.append(helper.make_tensor_value_info(f"{output.name}_row", element, shape))
    # Inside, where ONNX Runtime's optimiser looks for the weights of convolutions.
    body.initializer.extend(model.graph.initializer)
    del model.graph.initializer[:]
    names = [output.name for output in model.graph.output]
    outer.append(helper.make_node("Loop", ["num_rows", "loop_true"], names, body=body))
    del model.graph.node[:]
    del model.graph.value_info[:]
    model.graph.node.extend(outer)


def _constant(name: str, value: Any) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))


def _constants() -> list[NodeProto]:
    return [
        _constant("loop_zero", np.array(0, np.int64)),
        _constant("loop_one", np.array(1, np.int64)),
        _constant("loop_axis", np.array([0], np.int64)),
        _constant("loop_true", np.array(True)),
    ]


def _take_row(model: ModelProto, loop: RowLoop) -> list[NodeProto]:
    """Return nodes that take row `ROW` of every input, with a batch axis of one, and cut it."""
    nodes = []
    first = next(iter(loop.cuts))
    read = {*loop.cuts, *loop.cuts.values()}
    for node in model.graph.node:
        read |= used_names(node)
    for value in model.graph.input:
        if value.name not in read:
            continue
        nodes.append(helper.make_node("Gather", [value.name, ROW], [f"{value.name}_at"], axis=0))
        nodes.append(
            helper.make_node("Unsqueeze", [f"{value.name}_at", "loop_axis"], [f"{value.name}_of1"])
        )
    nodes += [
        helper.make_node("Unsqueeze", ["loop_zero", "loop_axis"], ["row_start"]),
        helper.make_node("Unsqueeze", ["loop_one", "loop_axis"], ["time_axis"]),
    ]
    for name, lengths in loop.cuts.items():
        length, end = f"{name}_length", f"{name}_end"
        nodes += [
            helper.make_node("Reshape", [f"{lengths}_at", "time_axis"], [f"{name}_stated"]),
            helper.make_node("Cast", [f"{name}_stated"], [length], to=TensorProto.INT64),
            helper.make_node("Max", [length, "loop_one"], [end]),
            helper.make_node(
                "Slice", [f"{name}_of1", "row_start", end, "time_axis"], [f"{name}_cut"]
            ),
        ]
        if loop.counts:
            nodes.append(helper.make_node("Cast", [end], [f"{lengths}_cut"], to=TensorProto.INT32))
        if loop.counts and name == first:
            nodes.append(helper.make_node("Greater", [length, "loop_zero"], ["row_has_columns"]))
    return nodes


def _renamed(model: ModelProto, loop: RowLoop) -> list[NodeProto]:
    """Return the graph's nodes, reading the cut inputs and writing outputs under inner names."""
    new = {value.name: f"{value.name}_of1" for value in model.graph.input}
    new |= {name: f"{name}_cut" for name in loop.cuts}
    if loop.counts:
        new |= {lengths: f"{lengths}_cut" for lengths in loop.cuts.values()}
    new |= {output.name: f"{output.name}_inner" for output in model.graph.output}
    for node in model.graph.node:
        rename_values(node, new)
    return list(model.graph.node)


def _width(name: str, width: Width) -> list[NodeProto]:
    """Return nodes that compute the padded width of an output."""
    return [
        _constant(f"{name}_per_frame", np.array(width.per_frame, np.int64)),
        _constant(f"{name}_extra", np.array(width.extra, np.int64)),
        helper.make_node("Shape", [width.of], [f"{name}_of_shape"]),
        helper.make_node("Gather", [f"{name}_of_shape", "loop_one"], [f"{name}_frames"], axis=0),
        helper.make_node("Mul", [f"{name}_frames", f"{name}_per_frame"], [f"{name}_scaled"]),
        helper.make_node("Add", [f"{name}_scaled", f"{name}_extra"], [f"{name}_width"]),
    ]


def _put_row(name: str, is_count: bool) -> list[NodeProto]:
    """Return nodes that give out an inner output, without its batch axis, as it is."""
    inner, row = f"{name}_inner", f"{name}_row"
    if not is_count:
        return [helper.make_node("Squeeze", [inner, "loop_axis"], [row])]
    return [
        helper.make_node("Squeeze", [inner, "loop_axis"], [f"{name}_count"]),
        helper.make_node("Squeeze", ["row_has_columns", "loop_axis"], [f"{name}_has"]),
        helper.make_node("Cast", [f"{name}_has"], [f"{name}_kept"], to=TensorProto.INT32),
        helper.make_node("Mul", [f"{name}_count", f"{name}_kept"], [row]),
    ]


def _pad_row(name: str, rank: int) -> list[NodeProto]:
    """Return nodes that give an inner output of `rank` axes the shape that all rows share."""
    flat, size, missing = f"{name}_flat", f"{name}_size", f"{name}_missing"
    before = np.zeros(rank - 1, np.int64)  # of each axis but the batch's
    after = np.zeros(rank - 2, np.int64)  # of each axis behind the padded one
    return [
        helper.make_node("Squeeze", [f"{name}_inner", "loop_axis"], [flat]),
        helper.make_node("Shape", [flat], [f"{name}_shape"]),
        helper.make_node("Gather", [f"{name}_shape", "loop_axis"], [size], axis=0),
        helper.make_node("Sub", [f"{name}_width", size], [missing]),
        _constant(f"{name}_before", before),
        _constant(f"{name}_after", after),
        helper.make_node(
            "Concat", [f"{name}_before", missing, f"{name}_after"], [f"{name}_pads"], axis=0
        ),
        helper.make_node("Pad", [flat, f"{name}_pads"], [f"{name}_row"]),
    ]
