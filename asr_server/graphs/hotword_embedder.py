"""Takes the weights out of FunASR's hotword embedder, `model_eb.onnx`, and proves them right.

    hotword [N, 10] -> Gather(embedding) -> Transpose -> LSTM, Squeeze (once or twice) -> [10, N, D]

The feature extractor runs it in NumPy (`asr_core.paraformer.hotword_embedder`): no session, no
further model in the repository, and words are embedded once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from asr_core.paraformer import MAX_HOTWORD_TOKENS, LstmLayer, load_embedder, save_embedder
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.external_data import load_model
from asr_server.graphs.graph import Graph
from asr_server.graphs.nodes import attribute_value
from asr_server.graphs.session import Session

TOLERANCE = 1e-5
_PROOF_WORDS = 200
_RESHAPING = frozenset({"Squeeze", "Transpose", "Identity", "Cast"})


def convert_embedder(source: Path, target: Path) -> float:
    """Write the embedder's weights, and compare with `source` on random words of all lengths.

    Args:
        source: FunASR's `model_eb.onnx` or `model_eb_quant.onnx` (whose LSTM is not quantised).
        target: the file that `asr_core.paraformer.hotword_embedder` reads; written only if it is
            right.

    Returns:
        Largest difference.

    Raises:
        PrepareError: the graph is of another kind, or the results differ.
    """
    model = load_model(source)
    original = Session(model.SerializeToString(), threads=1, optimise=True)
    try:
        embedding, layers = _read_weights(Graph(model))
    except PrepareError as error:
        raise PrepareError(f"{source}: expected embedding and LSTM of hotwords: {error}") from error
    save_embedder(target, embedding, layers)
    difference = _largest_difference(original, target, len(embedding))
    if not difference <= TOLERANCE:
        target.unlink()
        raise PrepareError(f"{source}: proof failed, embeddings differ by {difference:.2g}")
    return difference


def _read_weights(graph: Graph) -> tuple[NDArray[np.float32], list[LstmLayer]]:
    if list(graph.input_types) != ["hotword"] or len(graph.output_names) != 1:
        raise PrepareError(f"inputs {list(graph.input_types)}, outputs {graph.output_names}")
    layers: list[LstmLayer] = []
    node = _before(graph, graph.output_names[0])
    while node.op_type == "LSTM":
        layers.insert(0, _layer(graph, node))
        node = _before(graph, node.input[0])
    table = graph.constant_value(node.input[0])
    index = node.input[1] if node.op_type == "Gather" else ""
    if not layers or table is None or graph.origin(index) != "hotword":
        raise PrepareError(f"found {node.op_type} before {len(layers)} LSTM")
    return table.astype(np.float32), layers


def _before(graph: Graph, tensor: str) -> NodeProto:
    """Return what computes a tensor, changes of shape aside."""
    node = graph.producer(tensor)
    while node is not None and node.op_type in _RESHAPING:
        node = graph.producer(node.input[0])
    if node is None:
        raise PrepareError(f"{tensor} comes from an input")
    return node


def _layer(graph: Graph, node: NodeProto) -> LstmLayer:
    values = [graph.constant_value(name) for name in node.input[1:4]]
    direction = attribute_value(node, "direction", b"forward")
    if direction != b"forward" or any(value is None or len(value) != 1 for value in values):
        raise PrepareError(f"LSTM: expected constant weights of one direction, got {direction!r}")
    entry, recurrent, biases = (np.asarray(value, np.float32)[0] for value in values)
    return LstmLayer(entry, recurrent, biases.reshape(2, -1).sum(axis=0))


def _largest_difference(original: Session, target: Path, vocabulary: int) -> float:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, vocabulary, (_PROOF_WORDS, MAX_HOTWORD_TOKENS)).astype(np.int32)
    lengths = 1 + np.arange(_PROOF_WORDS) % MAX_HOTWORD_TOKENS
    ids[np.arange(MAX_HOTWORD_TOKENS) >= lengths[:, None]] = 0
    (states,) = original({"hotword": ids}).values()
    words = [tuple(row[:length].tolist()) for row, length in zip(ids, lengths, strict=True)]
    got = load_embedder(target)(words)
    return float(np.abs(states[lengths - 1, np.arange(_PROOF_WORDS)] - got).max())
