"""Prepares the graph of `fa-zh`, as `asr_server.export` writes it."""

from __future__ import annotations

from asr_core.features import FEATURE_DIM
from asr_server.graphs import patterns
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import FLOAT, Graph

ALIGNER_OUTPUTS = ["us_alphas"]


def prepare_aligner(graph: Graph) -> dict[str, int]:
    """Check what an aligner takes and gives, and leave the rest as it is.

    In rows of one length no row meets another, and those of other lengths are never put together:
    the LSTM that runs backwards begins at a row's last frame.

    Args:
        graph: `speech` [B, T, 560] -> `us_alphas` [B, 3 T], the weights of the upsampled CIF
            before they are scaled to a number of tokens.

    Returns:
        Nothing is counted.

    Raises:
        PrepareError: the graph takes or gives something else, or is int8, whose one activation
            scale for all rows would let them meet.
    """
    if patterns.is_dynamic_int8(graph):
        raise PrepareError("aligners are served in fp32; got dynamic int8")
    inputs = {name: graph.declared_dims(name) for name in graph.input_types}
    width = graph.declared_dims("us_alphas")
    taken = [list(dims)[2:] for dims in inputs.values()]
    if list(inputs) != ["speech"] or taken != [[FEATURE_DIM]] or len(width) != 2:
        raise PrepareError(
            f"expected speech [B, T, {FEATURE_DIM}] alone and us_alphas [B, U]; got "
            f"{', '.join(f'{name} {dims}' for name, dims in inputs.items())} and us_alphas {width}"
        )
    graph.set_inputs({"speech": (FLOAT, ["batch", "frames", FEATURE_DIM])})
    graph.set_outputs({"us_alphas": (FLOAT, ["batch", "upsampled_frames"])})
    graph.finish()
    return {}
