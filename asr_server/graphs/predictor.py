"""Finds the CIF predictor, which stays float32 in every precision.

It decides where one token ends and the next begins. A weight that is off by a hundredth moves all
later borders, and what they gather; the products in it are small, so that nothing is gained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnx import NodeProto

from asr_server.graphs import patterns
from asr_server.graphs.element_types import element_types
from asr_server.graphs.graph import DOUBLE, Graph

# Outputs that the predictor alone makes, of whichever Paraformer; SenseVoice has none of them.
_PREDICTIONS = ("token_num", "us_alphas", "us_cif_peak", "alphas")

HIDDEN = "hidden"
"""What a prepared streaming encoder gives and its decoder takes: [B, T, D]."""


def predictor_nodes(graph: Graph) -> set[int]:
    """Return the indices of the nodes between the encoder's output and what CIF decides.

    Included is what reads a number that was cast down from double precision: CIF's sums.
    """
    sinks = [name for name in _PREDICTIONS if name in graph.output_names]
    if not sinks:
        return set()
    # A streaming encoder gives its output beside the weights; elsewhere it lies inside.
    inside = HIDDEN not in graph.output_names
    source = patterns.encoder_output(graph, graph.output_names) if inside else HIDDEN
    behind = values_behind(graph, [source])
    needed = set(sinks)
    found = set()
    types = element_types(graph)
    for index in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[index]
        if needed.isdisjoint(node.output):
            continue
        needed.update(node.input)
        if not behind.isdisjoint(node.input):
            found.add(index)
    for index, node in enumerate(graph.nodes):
        if any(_is_cast_from_double(graph.producer(name), types) for name in node.input):
            found.add(index)
    return found


def _is_cast_from_double(node: NodeProto | None, types: Mapping[str, int]) -> bool:
    return node is not None and node.op_type == "Cast" and types.get(node.input[0]) == DOUBLE


def values_behind(graph: Graph, sources: Iterable[str]) -> set[str]:
    """Return `sources` and all tensors computed from their values."""
    reached = set(sources)
    for node in graph.nodes:
        if node.op_type not in ("Shape", "Size") and not reached.isdisjoint(node.input):
            reached.update(node.output)
    return reached
