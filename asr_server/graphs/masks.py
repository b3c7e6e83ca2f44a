"""Makes a row's result independent of what pads it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import helper

from asr_server.graphs import patterns
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import FLOAT, INT32, INT64, Graph


def frame_mask(graph: Graph, num_frames: str, lengths: str) -> str:
    """Add nodes for a mask, bool [B, num_frames]: frame index below length.

    Args:
        graph: gets the nodes.
        num_frames: int64 scalar.
        lengths: int32 [B].
    """
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    index = graph.add("Range", [zero, num_frames, one])
    limit = graph.cast(lengths, INT64)
    return graph.add("Less", [graph.unsqueeze(index, 0), graph.unsqueeze(limit, 1)])


def keep_where(graph: Graph, mask: str, values: str) -> str:
    """Add a node that puts 0.0 where the mask is false, whatever stood there (NaN included)."""
    return graph.add("Where", [mask, values, graph.constant(0.0, np.float32)])


def blank_padding_of_speech(graph: Graph, mask: str) -> None:
    """Zero the features beyond each row's length, so that no content of the padding can matter.

    Args:
        graph: with the input `speech` [B, T, F].
        mask: bool [B, T].
    """
    blanked = keep_where(graph, graph.unsqueeze(mask, 2), "speech")
    shape_readers = [n.output[0] for n in graph.consumers("speech") if n.op_type == "Shape"]
    graph.replace_uses("speech", blanked, except_for=[blanked, *shape_readers])


def take_mask_lengths_from_shape(graph: Graph, maxima: Sequence[tuple[str, int]], size: str) -> int:
    """Replace each maximum over the batch's lengths by the size of the tensor it masks.

    Args:
        graph: with these maxima in it.
        maxima: as `patterns.length_maxima` found them.
        size: int64 scalar, what the maximum (less its constant) is for an unpadded batch.

    Returns:
        Number of replaced nodes.
    """
    for maximum, offset in maxima:
        value = size
        if offset:
            value = graph.add("Add", [size, graph.constant(offset, np.int64)])
        node = graph.producer(maximum)
        try:
            element_type = graph.element_type(node.input[0] if node is not None else "")
        except LookupError:
            element_type = INT32
        graph.replace_uses(maximum, graph.cast(value, element_type))
    return len(maxima)


def compute_mask_tables(graph: Graph) -> int:
    """Replace masks looked up in a baked table by computed ones, and lift their limit so.

    The table's row for length n is 1 below n, cut to the batch's maximum by a `Slice`.

    Returns:
        Number of replaced tables.

    Raises:
        PrepareError: the lookup is not followed by one `Slice` of the last axis.
    """
    tables = patterns.mask_tables(graph)
    for table in tables:
        index, picked = table.gather.input[1], table.gather.output[0]
        readers = graph.consumers(picked)
        if len(readers) != 1 or readers[0].op_type != "Slice" or len(readers[0].input) < 3:
            raise PrepareError(
                f"a mask table of {table.frames} frames is used in an unknown way: expected one "
                f"Slice behind it, found {[node.op_type for node in readers]}"
            )
        cut = readers[0]
        end = graph.add("Squeeze", [cut.input[2], graph.constant([0], np.int64)])
        length = graph.add(
            "Add", [graph.cast(index, INT64), graph.constant(1, np.int64)]
        )  # row n - 1 is for length n
        zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
        frames = graph.add("Range", [zero, graph.cast(end, INT64), one])
        mask = graph.add("Less", [frames, graph.unsqueeze(length, -1)])
        if table.flipped:
            mask = graph.add("Not", [mask])
        values = graph.constant_value(graph.origin(table.gather.input[0]))
        if values is None or values.dtype != np.bool_:
            element = FLOAT if values is None else helper.np_dtype_to_tensor_dtype(values.dtype)
            mask = graph.cast(mask, element)
        graph.replace_uses(cut.output[0], mask)
    return len(tables)


def give_lengths_to_recurrent_layers(graph: Graph, lengths: str, num_frames: str) -> int:
    """Let every LSTM or GRU stop at each row's own end, so that none starts in the padding.

    A layer over k times as many steps as the input has frames gets k times the lengths. A length
    of zero, which ONNX Runtime refuses, becomes one: that row's outputs are masked anyway.

    Args:
        graph: gets the nodes.
        lengths: int32 [B].
        num_frames: int64 scalar.

    Returns:
        Number of changed nodes.
    """
    layers = patterns.recurrent_layers(graph)
    for node in layers:
        steps = graph.dim(node.input[0], 0)
        wanted = graph.add(
            "Mul", [graph.cast(lengths, INT64), graph.add("Div", [steps, num_frames])]
        )
        wanted = graph.add("Min", [wanted, steps])
        wanted = graph.add("Max", [wanted, graph.constant(1, np.int64)])
        sequence_lens = graph.cast(wanted, INT32)
        inputs = [*node.input, "", "", "", "", ""][: max(len(node.input), 5)]
        inputs[4] = sequence_lens
        del node.input[:]
        node.input.extend(inputs)
    return len(layers)
