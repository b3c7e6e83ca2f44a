"""Requests of any lengths in one batch: the graph lays their rows out itself.

Triton's dynamic batcher joins requests of different lengths where an input says
`allow_ragged_batch: true`; the graph then gets all their elements end to end, as one tensor of one
axis. The shape of each row comes with it, as a `batch_input` of kind `BATCH_ITEM_SHAPE`, which
Triton takes from the tensors themselves: nobody can claim another.

Source: Triton's `docs/user_guide/ragged_batching.md` and `model_config.proto`, `BatchInput`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from asr_server.graphs.hotwords import BIAS_EMBED, BIAS_EMBED_LENGTHS
from asr_server.graphs.packs import (
    LIMITS,
    LOOP,
    PREFIX,
    Layout,
    add_constants,
    add_packs,
    take_out_of_packs,
)
from asr_server.graphs.row_loop import RowLoop
from asr_server.models.names import Device

SPEECH, LENGTHS = "speech", "speech_lengths"
RAGGED = (SPEECH, BIAS_EMBED)
_MADE = frozenset({*RAGGED, LENGTHS, BIAS_EMBED_LENGTHS})  # not just taken row by row


def shape_input(name: str) -> str:
    """Return the name of the input with the shapes of the rows of a ragged one."""
    return f"{name}_shape"


def end_to_end(name: str, rows: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """Return a ragged input and its shapes for rows [n_i, D], as Triton gives them."""
    return {
        name: np.concatenate([row.reshape(-1) for row in rows]),
        shape_input(name): np.array([row.shape for row in rows], np.int32),
    }


def lay_rows_out(model: ModelProto, loop: RowLoop, device: Device = "cpu") -> None:
    """Let a graph take rows end to end, and lay packs of them out in front of what it was.

    A row is laid out as far as `speech_lengths` says, at most to its own end: who states more gets
    no neighbour's audio. What is beyond a shorter row's end is its neighbour's, and a prepared
    graph reads none of it.

    Args:
        model: takes `speech` float32 [B, T, D] and, maybe, `bias_embed` float32 [B, W, H] with
            `bias_embed_lengths` int32 [B]; is changed in place. Now it takes both as one axis of
            elements with `speech_shape`, `bias_embed_shape` int32 [B, 2]: each row's own T (at
            least 1) and D, its own W and H.
        loop: which outputs have columns.
        device: which it is optimised for.
    """
    graph = model.graph
    inputs = {value.name: value for value in graph.input}
    ragged = [name for name in RAGGED if name in inputs]
    dims = {name: inputs[name].type.tensor_type.shape.dim[2].dim_value for name in ragged}
    del graph.input[:]
    for name, value in inputs.items():
        if name in ragged:
            element = value.type.tensor_type.elem_type
            graph.input.append(helper.make_tensor_value_info(name, element, [f"{name}_elements"]))
        elif name != BIAS_EMBED_LENGTHS:
            graph.input.append(value)
    for name in ragged:
        shapes = helper.make_tensor_value_info(shape_input(name), TensorProto.INT32, ["batch", 2])
        graph.input.append(shapes)
    names = [value.name for value in graph.input]
    outer, body = Layout(names), Layout(names)
    add_constants(outer)
    _lay_speech_out(outer, body, dims[SPEECH])
    if dims.get(BIAS_EMBED):
        _lay_hotwords_out(outer, body, dims[BIAS_EMBED])
    for name in inputs:
        if name not in _MADE:
            body.add("Gather", [name, "rows"], name)
    add_packs(model, outer, body, _inner(inputs), loop.widths, LIMITS[device])


def take_rows_padded(model: ModelProto) -> None:
    """Undo `lay_rows_out`: the graph takes `speech` float32 [B, T, D] again.

    Args:
        model: is changed in place; one without a layout stays as it is.
    """
    graph = model.graph
    if not any(node.name == PREFIX + LOOP for node in graph.node):
        return
    dims = {
        name: int(numpy_helper.to_array(node.attribute[0].t).max())
        for name in RAGGED
        for node in graph.node
        if node.name == f"{PREFIX}{name}_dim"
    }
    inputs = {value.name: value for value in graph.input}
    del graph.input[:]
    for name, value in inputs.items():
        if name == SPEECH:
            shape: list[str | int] = ["batch", "frames", dims[SPEECH]]
            graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        elif name == BIAS_EMBED:
            shape = ["batch", "hotwords", dims.get(BIAS_EMBED, "hidden")]
            graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
            lengths = helper.make_tensor_value_info(
                BIAS_EMBED_LENGTHS, TensorProto.INT32, ["batch"]
            )
            graph.input.append(lengths)
        elif name not in map(shape_input, RAGGED):
            graph.input.append(value)
    take_out_of_packs(model, _inner(value.name for value in graph.input))


def _inner(names: Iterable[str]) -> dict[str, str]:
    """Return what the graph inside the loop reads in the place of these inputs."""
    return {name: PREFIX + name for name in names}


def _lay_speech_out(outer: Layout, body: Layout, dim: int) -> None:
    """Add nodes that make `speech` [b, longest, dim] of a pack, and its lengths."""
    outer.constant(f"{SPEECH}_dim", [-1, dim])
    outer.add("Reshape", [SPEECH, f"{SPEECH}_dim"], "table")  # a row for each frame
    outer.add("Gather", [shape_input(SPEECH), "zero"], "stated", axis=1)  # int32 [B]
    outer.add("Cast", ["stated"], "frames", to=TensorProto.INT64)
    outer.add("CumSum", ["frames", "zero"], "ends")
    outer.add("Sub", ["ends", "frames"], "starts")
    outer.add("Min", [LENGTHS, "stated"], "least")
    outer.constant("none", 0, np.int32)
    outer.add("Max", ["least", "none"], "own_lengths")
    outer.add("Cast", ["own_lengths"], "own_frames", to=TensorProto.INT64)
    outer.add("Max", ["own_frames", "one"], "lengths")  # operators fail on no columns
    outer.add("Shape", ["table"], "table_size")
    outer.add("Gather", ["table_size", "zero"], "total", axis=0)
    outer.add("Sub", ["total", "one"], "last")

    body.add("Gather", ["own_lengths", "rows"], LENGTHS)
    body.add("Gather", ["starts", "rows_at"], "first_places")  # [b, 1]
    body.add("Range", ["zero", "longest", "one"], "columns")
    body.add("Add", ["first_places", "columns"], "places")
    body.add("Min", ["places", "last"], "within")
    body.add("Gather", ["table", "within"], SPEECH, axis=0)


def _lay_hotwords_out(outer: Layout, body: Layout, dim: int) -> None:
    """Add nodes that make `bias_embed` [b, most, dim] of a pack, and how many are each row's.

    Rows are found by their elements, so that one of another width harms none behind it; it gets
    one hotword of zeros, as does a row without any.
    """
    shapes = shape_input(BIAS_EMBED)
    outer.constant(f"{BIAS_EMBED}_dim", dim)
    outer.constant("word_columns", np.arange(dim))
    outer.constant("nothing", 0.0, np.float32)
    outer.constant("third_axis", [2])
    for name, axis in (("words", "zero"), ("word_widths", "one")):
        outer.add("Gather", [shapes, axis], f"{name}_stated", axis=1)
        outer.add("Cast", [f"{name}_stated"], name, to=TensorProto.INT64)  # [B]
    outer.add("Mul", ["words", "word_widths"], "word_elements")
    outer.add("CumSum", ["word_elements", "zero"], "word_ends")
    outer.add("Sub", ["word_ends", "word_elements"], "word_starts")
    outer.add("Equal", ["word_widths", f"{BIAS_EMBED}_dim"], "fits")
    outer.add("Cast", ["fits"], "fits_once", to=TensorProto.INT64)
    outer.add("Mul", ["words", "fits_once"], "own_words")
    outer.add("Size", [BIAS_EMBED], "all_elements")
    outer.add("Sub", ["all_elements", "one"], "last_element")

    body.add("Gather", ["own_words", "rows_at"], "pack_words")  # [b, 1]
    body.add("ReduceMax", ["pack_words"], "most_words", keepdims=0)
    body.add("Max", ["most_words", "one"], "num_words")
    body.add("Range", ["zero", "num_words", "one"], "word_numbers")
    body.add("Less", ["word_numbers", "pack_words"], "is_word")
    body.add("Mul", ["word_numbers", f"{BIAS_EMBED}_dim"], "word_offsets")
    body.add("Gather", ["word_starts", "rows_at"], "first_elements")
    body.add("Add", ["first_elements", "word_offsets"], "word_places")
    body.add("Unsqueeze", ["word_places", "third_axis"], "word_places_at")
    body.add("Add", ["word_places_at", "word_columns"], "element_places")
    body.add("Min", ["element_places", "last_element"], "elements_within")
    body.add("Gather", [BIAS_EMBED, "elements_within"], "elements", axis=0)
    body.add("Unsqueeze", ["is_word", "third_axis"], "is_word_at")
    body.add("Where", ["is_word_at", "elements", "nothing"], BIAS_EMBED)
    body.add("Max", ["pack_words", "one"], "some_words")
    body.add("Squeeze", ["some_words", "last_axis"], "some_words_flat")
    body.add("Cast", ["some_words_flat"], BIAS_EMBED_LENGTHS, to=TensorProto.INT32)
