"""Edits of a graph that is optimised for GPUs."""

from __future__ import annotations

import re

import onnxruntime as ort
from onnx import ModelProto

from asr_server.graphs.attention import fuse_attention
from asr_server.graphs.convolutions import fuse_convolutions, unfold_convolutions
from asr_server.graphs.dense_convolutions import flatten_columns, multiply_convolutions
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import Graph
from asr_server.graphs.simplify import simplify
from asr_server.graphs.skip_norms import fuse_skip_norms
from asr_server.models.names import Device, GraphKind, OnnxRuntime

OLDEST: OnnxRuntime = "1.19"
_FIRST = {"1.19": (1, 19, 0), "1.25": (1, 25, 1)}  # that has the operators; 1.25.0 lacks them


def check_onnxruntime(oldest: OnnxRuntime, device: Device) -> None:
    """Refuse operators that the device has no use for, or that cannot be proved here.

    Args:
        oldest: the release that the operators need, newer than `OLDEST`.
        device: what the graph is for.

    Raises:
        PrepareError: the graph is for a CPU, or an older release is installed.
    """
    if device != "gpu":
        raise PrepareError(f"ONNX Runtime {oldest}: expected a graph for a GPU, got one for a CPU")
    if _installed() < _FIRST[oldest]:
        raise PrepareError(
            f"expected ONNX Runtime {oldest} or newer, to prove the graph with, got "
            f"{ort.__version__}"
        )


def newest_operators() -> OnnxRuntime:
    """Return what the installed ONNX Runtime can prove."""
    return "1.25" if _installed() >= _FIRST["1.25"] else OLDEST


def _installed() -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", ort.__version__)[:3])


def rewrite_for_gpu(
    model: ModelProto, kind: GraphKind, oldest: OnnxRuntime
) -> tuple[ModelProto, dict[str, int]]:
    """Return the model with few, fast operators, and how often each edit was made.

    Args:
        model: with the edits that its kind needs; is changed.
        kind: of graph.
        oldest: ONNX Runtime that has to read it.
    """
    model = simplify(model)
    graph = Graph(model)
    flatten_columns(graph)
    convolutions = unfold_convolutions if oldest == OLDEST else fuse_convolutions
    return model, {
        "convolutions": convolutions(graph),
        "dense_convolutions": multiply_convolutions(graph),
        "attentions": fuse_attention(graph, by_pair=kind == "punctuation_online"),
        "skip_norms": fuse_skip_norms(graph),
    }
