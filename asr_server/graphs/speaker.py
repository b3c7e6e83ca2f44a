"""Prepares CAM++, and other models of 3D-Speaker's that take and give the same."""

from __future__ import annotations

import numpy as np

from asr_core.features import NUM_MEL_BINS
from asr_server.graphs import patterns
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import FLOAT, Graph

SPEAKER_OUTPUTS = ["embedding"]
_WIDE = 1 << 20  # times the frames: wider than any embedding


def prepare_speaker(graph: Graph) -> dict[str, int]:
    """Give a speaker model the names and the free dimensions by which it is served.

    Nothing is computed otherwise: in recordings of one length no row meets another, and those of
    other lengths are never put together, as their means over time would go over the padding.

    Args:
        graph: ours, FunASR's class traced, or 3D-Speaker's: one input [B, T, 80], fbank less its
            mean -> `embedding` [B, D].

    Returns:
        Nothing is counted. The input is now `features` [B, T, 80], the output `embedding`
        [B, D].

    Raises:
        PrepareError: the graph takes or gives something else, or is int8, whose one activation
            scale for all rows would let them meet.
    """
    if patterns.is_dynamic_int8(graph):
        raise PrepareError("speaker models are served in fp32; got dynamic int8")
    name, dims = speaker_input(graph)
    width = graph.declared_dims("embedding")
    if graph.input_types[name] != FLOAT or len(width) != 2:
        raise PrepareError(
            f"expected float32 features [B, T, {NUM_MEL_BINS}] and embedding [B, D]; got {name} "
            f"{dims} and embedding {width}"
        )
    if name != "features":
        graph.replace_uses(name, "features")
    # One configuration serves embeddings of any width, so no shape inference may find out which.
    wide = graph.add("Mul", [graph.dim("features", 1), graph.constant(_WIDE, np.int64)])
    zero, one = graph.constant([0], np.int64), graph.constant([1], np.int64)
    end = graph.add("Reshape", [wide, one])  # `Unsqueeze` is written in two ways since opset 11
    graph.rename_output_of("embedding", "prepared/embedding")
    graph.add("Slice", ["prepared/embedding", zero, end, one], name="embedding")
    graph.set_inputs({"features": (FLOAT, ["batch", "frames", NUM_MEL_BINS])})
    graph.set_outputs({"embedding": (FLOAT, ["batch", "values"])})
    graph.finish()
    return {}


def speaker_input(graph: Graph) -> tuple[str, list[str | int]]:
    """Return the name and the dimensions of a speaker model's only input.

    Raises:
        PrepareError: there are several, or it is not of 80 mel bins.
    """
    names = list(graph.input_types)
    dims = graph.declared_dims(names[0]) if len(names) == 1 else []
    if len(dims) != 3 or dims[-1] != NUM_MEL_BINS:
        raise PrepareError(
            f"expected a speaker model with one input [B, T, {NUM_MEL_BINS}]; got "
            f"{', '.join(f'{name} {graph.declared_dims(name)}' for name in names)}"
        )
    return names[0], dims
