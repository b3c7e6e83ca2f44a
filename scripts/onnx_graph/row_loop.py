"""Runs a graph row by row at each row's true length, inside the graph itself.

Dynamic int8 (`DynamicQuantizeLinear`) takes one activation scale for a whole tensor, so a row's
answer would depend on its neighbours and on padding. A `Loop` over the rows, each cut at its own
length, gives every row exactly what it gets alone, whatever batch a server forms. On a CPU that
costs nothing: batching a model of full size gains nothing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

ROW, CONDITION, KEEP_GOING = "row_index", "row_condition", "row_keep_going"
SPEECH, LENGTHS = "speech", "speech_lengths"


@dataclass(frozen=True)
class Width:
    """Columns of a padded output: `per_frame` x T + `extra`."""

    per_frame: int
    extra: int = 0


def loop_over_rows(model: ModelProto, widths: Mapping[str, Width]) -> None:
    """Put the whole graph into a loop over its rows; inputs and outputs keep their names.

    Args:
        model: takes `speech` [B, T, D], `speech_lengths` [B] and perhaps further inputs [B];
            gives counts, int32 [B], and outputs [B, n]. Changed in place.
        widths: for each output [B, n], the n that its rows are padded to with zeros; no row may
            be longer.
    """
    body = GraphProto(name="one_row")
    body.node.extend(_take_row(model))
    body.node.extend(_renamed(model))
    outer = [helper.make_node("Shape", [SPEECH], ["batch_shape"])]
    outer += _constants()
    outer.append(helper.make_node("Gather", ["batch_shape", "loop_zero"], ["num_rows"], axis=0))
    outer.append(helper.make_node("Gather", ["batch_shape", "loop_one"], ["num_frames"], axis=0))
    for output in model.graph.output:
        outer += _width(output.name, widths)
        body.node.extend(_put_row(output.name, widths))
    body.node.append(helper.make_node("Identity", [CONDITION], [KEEP_GOING]))
    body.input.append(helper.make_tensor_value_info(ROW, TensorProto.INT64, []))
    body.input.append(helper.make_tensor_value_info(CONDITION, TensorProto.BOOL, []))
    body.output.append(helper.make_tensor_value_info(KEEP_GOING, TensorProto.BOOL, []))
    for output in model.graph.output:
        shape = ["width"] if output.name in widths else []
        element = output.type.tensor_type.elem_type
        body.output.append(helper.make_tensor_value_info(f"{output.name}_row", element, shape))
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


def _take_row(model: ModelProto) -> list[NodeProto]:
    """Nodes that cut row `ROW` of every input, with a batch axis of one."""
    nodes = []
    for value in model.graph.input:
        nodes.append(helper.make_node("Gather", [value.name, ROW], [f"{value.name}_at"], axis=0))
        nodes.append(
            helper.make_node("Unsqueeze", [f"{value.name}_at", "loop_axis"], [f"{value.name}_of1"])
        )
    nodes += [
        helper.make_node("Cast", [f"{LENGTHS}_at"], ["row_length"], to=TensorProto.INT64),
        # A row without frames still needs one to run on; its counts are zeroed afterwards.
        helper.make_node("Max", ["row_length", "loop_one"], ["row_frames"]),
        helper.make_node("Greater", ["row_length", "loop_zero"], ["row_has_frames"]),
        helper.make_node("Unsqueeze", ["row_frames", "loop_axis"], ["row_end"]),
        helper.make_node("Cast", ["row_end"], [f"{LENGTHS}_cut"], to=TensorProto.INT32),
        helper.make_node("Unsqueeze", ["loop_zero", "loop_axis"], ["row_start"]),
        helper.make_node("Unsqueeze", ["loop_one", "loop_axis"], ["time_axis"]),
        helper.make_node(
            "Slice",
            [f"{SPEECH}_of1", "row_start", "row_end", "time_axis"],
            [f"{SPEECH}_cut"],
        ),
    ]
    return nodes


def _renamed(model: ModelProto) -> list[NodeProto]:
    """The graph's nodes, reading the cut inputs and writing outputs under inner names."""
    new = {value.name: f"{value.name}_of1" for value in model.graph.input}
    new |= {name: f"{name}_cut" for name in (SPEECH, LENGTHS)}
    new |= {output.name: f"{output.name}_inner" for output in model.graph.output}
    for node in model.graph.node:
        _rename(node, new)
    return list(model.graph.node)


def _rename(node: NodeProto, new: Mapping[str, str]) -> None:
    """Rename what a node reads and writes, also what its subgraphs read from outside."""
    node.input[:] = [new.get(name, name) for name in node.input]
    node.output[:] = [new.get(name, name) for name in node.output]
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _rename(inner, new)
        for output in attribute.g.output:
            output.name = new.get(output.name, output.name)


def _width(name: str, widths: Mapping[str, Width]) -> list[NodeProto]:
    """Nodes that compute the padded width of an output."""
    if name not in widths:
        return []
    width = widths[name]
    return [
        _constant(f"{name}_per_frame", np.array(width.per_frame, np.int64)),
        _constant(f"{name}_extra", np.array(width.extra, np.int64)),
        helper.make_node("Mul", ["num_frames", f"{name}_per_frame"], [f"{name}_scaled"]),
        helper.make_node("Add", [f"{name}_scaled", f"{name}_extra"], [f"{name}_width"]),
    ]


def _put_row(name: str, widths: Mapping[str, Width]) -> list[NodeProto]:
    """Nodes that give an inner output the shape that all rows share."""
    inner, row = f"{name}_inner", f"{name}_row"
    if name not in widths:
        return [
            helper.make_node("Squeeze", [inner, "loop_axis"], [f"{name}_count"]),
            helper.make_node("Cast", ["row_has_frames"], [f"{name}_kept"], to=TensorProto.INT32),
            helper.make_node("Mul", [f"{name}_count", f"{name}_kept"], [row]),
        ]
    flat, size, missing = f"{name}_flat", f"{name}_size", f"{name}_missing"
    return [
        helper.make_node("Squeeze", [inner, "loop_axis"], [flat]),
        helper.make_node("Shape", [flat], [size]),
        helper.make_node("Sub", [f"{name}_width", size], [missing]),
        helper.make_node("Concat", ["row_start", missing], [f"{name}_pads"], axis=0),
        helper.make_node("Pad", [flat, f"{name}_pads"], [row]),
    ]
