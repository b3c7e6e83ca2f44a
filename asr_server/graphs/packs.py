"""Rows of a batch in packs of bounded size, each laid out by itself.

What a batch costs is its rows times its longest: beside one recording of two minutes, 31 of five
seconds cost and keep as much as 32 of two minutes. So the whole graph stands in a `Loop`: rows are
sorted by length, a pack takes as many as fit, and what a pack gives is put where its rows stood.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from asr_server.graphs.row_loop import Width
from asr_server.graphs.subgraphs import rename_values
from asr_server.models.names import Device

PREFIX = "layout/"
# ONNX Runtime's optimiser wants the weights of convolutions where the convolutions are; what is
# large is outside, where sessions can share it (`backends/onnxruntime/ort_shared.py`).
_SMALL_BYTES = 2**20
LOOP, FRAMES, SHARE = "packs", "frames_at_once", "least_percent"


@dataclass(frozen=True)
class PackLimits:
    """What rows are computed at once.

    Attributes:
        frames: rows times the longest, at most; a longer row is computed alone.
        least_percent: of the longest row's length, of those with it.
    """

    frames: int
    least_percent: int


# Of 60 ms each: a minute on a CPU, which gains a fifth by a batch and pays for what is laid out
# beyond a row's end; eight minutes on a GPU, which takes as long for one row as for dozens.
LIMITS: dict[Device, PackLimits] = {"cpu": PackLimits(1024, 75), "gpu": PackLimits(8192, 0)}


def limit_values(limits: PackLimits) -> dict[str, NDArray[np.int64]]:
    """Return the values that hold the limits in a graph, by name."""
    values = {FRAMES: limits.frames, SHARE: limits.least_percent}
    return {PREFIX + name: np.array(value, np.int64) for name, value in values.items()}


class Layout:
    """Nodes of the layout, with a prefix before the names of their values.

    Args:
        outer: names that get none: those of the model's inputs.
    """

    def __init__(self, outer: Sequence[str]) -> None:
        self._outer = frozenset(outer)
        self.nodes: list[NodeProto] = []

    def constant(self, name: str, value: Any, dtype: Any = np.int64) -> str:
        """Add a constant and return its name."""
        tensor = numpy_helper.from_array(np.array(value, dtype), PREFIX + name)
        full = PREFIX + name
        self.nodes.append(helper.make_node("Constant", [], [full], full, value=tensor))
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output, which has the prefix in the model."""
        names = [name if name in self._outer else PREFIX + name for name in inputs]
        full = PREFIX + output
        self.nodes.append(helper.make_node(operator, names, [full], full, **attributes))
        return output


def add_packs(
    model: ModelProto,
    outer: Layout,
    body: Layout,
    inner: Mapping[str, str],
    widths: Mapping[str, Width],
    limits: PackLimits,
) -> None:
    """Put the whole graph into a loop over packs of rows.

    Args:
        model: is changed in place; its outputs [B, ...] keep their names.
        outer: has `lengths` int64 [B], frames of each row that are computed, and `frames`, as it
            is given. Gets the rest of what is before the loop.
        body: what makes the inputs of a pack from `rows`, the numbers of its rows, and `longest`.
        inner: name in the model to name in the body, of each input.
        widths: of the outputs [B, n, ...] with n by the frames of the longest row as it is given,
            which may be longer than what is computed; others are [B].
        limits: of a pack.
    """
    outputs = list(model.graph.output)
    bounded = {name for name, width in widths.items() if width.at_most}
    _sort(outer)
    for output in outputs:
        _make_space(outer, output.name, widths.get(output.name), output)
    packed = _take_pack(body.nodes)
    put = Layout([])
    for output in outputs:
        _put(put, output.name, widths.get(output.name), _zero(output))
    new = {**inner, **{output.name: PREFIX + output.name for output in outputs}}
    for node in model.graph.node:
        rename_values(node, new)
    graph = GraphProto(name="pack")
    graph.node.extend([*packed, *model.graph.node, *put.nodes])
    tensors = list(model.graph.initializer)
    graph.initializer.extend(one for one in tensors if one.ByteSize() <= _SMALL_BYTES)
    states = _states(outputs, bounded)
    graph.input.append(_value("turn", TensorProto.INT64, 0))
    graph.input.append(_value("going_on", TensorProto.BOOL, 0))
    graph.output.append(_value("go_on", TensorProto.BOOL, 0))
    for state, (element, rank) in states.items():
        graph.input.append(_value(state, element, rank))
        graph.output.append(_value(f"{state}_next", element, rank))
    loop = helper.make_node(
        "Loop",
        ["", PREFIX + "true", *(f"{PREFIX}{state}_first" for state in states)],
        [f"{PREFIX}{state}_last" for state in states],
        PREFIX + LOOP,
        body=graph,
    )
    end = Layout([])
    for output in outputs:
        _give_out(end, output.name, output.name in bounded)
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.initializer.extend(one for one in tensors if one.ByteSize() > _SMALL_BYTES)
    model.graph.node.extend([*outer.nodes, loop, *end.nodes])
    for name, value in limit_values(limits).items():
        model.graph.initializer.append(numpy_helper.from_array(value, name))


def _states(
    outputs: Sequence[ValueInfoProto], bounded: Collection[str]
) -> dict[str, tuple[int, int]]:
    """Return what one turn of the loop hands to the next: name -> (element type, rank)."""
    states = {"start": (int(TensorProto.INT64), 0)}
    for output in outputs:
        tensor = output.type.tensor_type
        states[f"{output.name}_so_far"] = (tensor.elem_type, len(tensor.shape.dim))
        if output.name in bounded:
            states[f"{output.name}_widest"] = (int(TensorProto.INT64), 0)
    return states


def take_out_of_packs(model: ModelProto, inner: Mapping[str, str]) -> None:
    """Undo `add_packs`; inputs are as `inner` names them afterwards, and not yet declared.

    Args:
        model: is changed in place.
        inner: name in the model to name in the body, of each input.
    """
    (loop,) = (node for node in model.graph.node if node.name == PREFIX + LOOP)
    (body,) = (attribute.g for attribute in loop.attribute if attribute.name == "body")
    new = {name: outer for outer, name in inner.items()}
    new |= {PREFIX + output.name: output.name for output in model.graph.output}
    nodes = [node for node in body.node if not node.name.startswith(PREFIX)]
    for node in nodes:
        rename_values(node, new)
    own = [one for one in model.graph.initializer if not one.name.startswith(PREFIX)]
    tensors = [*own, *body.initializer]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensors)


def _value(name: str, element: int, rank: int) -> Any:
    return helper.make_tensor_value_info(PREFIX + name, element, [None] * rank)


def add_constants(outer: Layout) -> None:
    """Add the numbers that a layout needs."""
    for name, value in (("zero", 0), ("one", 1), ("hundred", 100), ("start_first", 0)):
        outer.constant(name, value)
    outer.constant("first_axis", [0])
    outer.constant("last_axis", [1])
    outer.constant("true", True, np.bool_)


def _sort(outer: Layout) -> None:
    """Add the order of the rows, the longest first."""
    outer.add("Shape", ["lengths"], "all_rows")  # [1]
    outer.add("Squeeze", ["all_rows", "first_axis"], "num_rows")
    outer.nodes.append(
        helper.make_node(
            "TopK",
            [PREFIX + "lengths", PREFIX + "all_rows"],
            [PREFIX + "sorted", PREFIX + "order"],
            PREFIX + "sorted",
        )
    )
    outer.add("ReduceMax", ["frames"], "longest_of_all", keepdims=0)


def _make_space(outer: Layout, name: str, width: Width | None, output: Any) -> None:
    """Add zeros of an output's size, which packs write into."""
    shape = "all_rows"
    if width is not None:
        outer.constant(f"{name}_per_frame", width.per_frame)
        outer.constant(f"{name}_extra", width.extra)
        outer.add("Mul", ["longest_of_all", f"{name}_per_frame"], f"{name}_scaled")
        outer.add("Add", [f"{name}_scaled", f"{name}_extra"], f"{name}_space")
        outer.add("Unsqueeze", [f"{name}_space", "first_axis"], f"{name}_columns")
        sizes = ["all_rows", f"{name}_columns"]
        if width.values:
            sizes.append(outer.constant(f"{name}_values", [width.values]))
        shape = outer.add("Concat", sizes, f"{name}_shape", axis=0)
        if width.at_most:
            outer.constant(f"{name}_widest_first", 1)
    outer.add("ConstantOfShape", [shape], f"{name}_so_far_first", value=_zero(output))


def _zero(output: Any) -> TensorProto:
    """Return a zero of an output's type."""
    return helper.make_tensor("zero", output.type.tensor_type.elem_type, [1], [0])


def _take_pack(making: Sequence[NodeProto]) -> list[NodeProto]:
    """Return nodes that choose the rows of a pack, then those that make its inputs."""
    body = Layout([])
    body.add("Gather", ["sorted", "start"], "longest")
    body.add("Div", [FRAMES, "longest"], "fitting")
    body.add("Max", ["fitting", "one"], "fitting_rows")
    body.add("Add", ["start", "fitting_rows"], "fitting_end")
    body.add("Unsqueeze", ["start", "first_axis"], "start_at")
    body.add("Unsqueeze", ["fitting_end", "first_axis"], "fitting_end_at")
    # How many are long enough; the lengths are sorted.
    body.add("Slice", ["sorted", "start_at", "fitting_end_at"], "candidates")
    body.add("Mul", ["candidates", "hundred"], "candidates_hundredfold")
    body.add("Mul", ["longest", SHARE], "least_hundredfold")
    body.add("GreaterOrEqual", ["candidates_hundredfold", "least_hundredfold"], "long_enough")
    body.add("Cast", ["long_enough"], "counted", to=TensorProto.INT64)
    body.add("ReduceSum", ["counted", "first_axis"], "size", keepdims=0)
    body.add("Unsqueeze", ["size", "first_axis"], "size_at")
    body.add("Add", ["start", "size"], "start_next")
    body.add("Unsqueeze", ["start_next", "first_axis"], "end_at")
    body.add("Slice", ["order", "start_at", "end_at"], "rows")
    body.add("Unsqueeze", ["rows", "last_axis"], "rows_at")  # as ScatterND takes them
    body.add("Less", ["start_next", "num_rows"], "go_on")
    return [*body.nodes, *making]


def _put(body: Layout, name: str, width: Width | None, zero: TensorProto) -> None:
    """Add nodes that write what a pack gave into the rows it was made of."""
    update = name
    if width is not None:
        body.add("Shape", [name], f"{name}_pack_shape")
        body.add("Gather", [f"{name}_pack_shape", "one"], f"{name}_pack_width")
        if width.at_most:
            body.add("Max", [f"{name}_widest", f"{name}_pack_width"], f"{name}_widest_next")
        body.add("Unsqueeze", [f"{name}_pack_width", "first_axis"], f"{name}_pack_columns")
        body.add("Sub", [f"{name}_columns", f"{name}_pack_columns"], f"{name}_missing")
        # Zeros behind it, since CUDA has no kernel of Pad for integers.
        sizes = ["size_at", f"{name}_missing", *[f"{name}_values"] * bool(width.values)]
        body.add("Concat", sizes, f"{name}_rest", axis=0)
        body.add("ConstantOfShape", [f"{name}_rest"], f"{name}_zeros", value=zero)
        update = body.add("Concat", [name, f"{name}_zeros"], f"{name}_padded", axis=1)
    body.add("ScatterND", [f"{name}_so_far", "rows_at", update], f"{name}_so_far_next")


def _give_out(end: Layout, name: str, is_bounded: bool) -> None:
    """Add nodes that give an output its name, and no more columns than a row has."""
    last = f"{PREFIX}{name}_so_far_last"
    if is_bounded:
        end.add("Unsqueeze", [f"{name}_widest_last", "first_axis"], f"{name}_end")
        inputs = [last, *(PREFIX + one for one in ("first_axis", f"{name}_end", "last_axis"))]
        end.nodes.append(helper.make_node("Slice", inputs, [name], f"{PREFIX}{name}_out"))
    else:
        end.nodes.append(helper.make_node("Identity", [last], [name], f"{PREFIX}{name}_out"))
