"""What an exported Paraformer integrates, and its copy with a dynamic threshold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from asr_server.commands.dynamic_threshold import main
from asr_server.graphs import patterns
from asr_server.graphs.graph import Graph

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Integrated:
    """What CIF made of one recording.

    Attributes:
        weights: [T + 1], the tail's last.
        hidden: [T, D].
        embeds: [N, D].
        tokens: N, as the graph says it.
    """

    weights: Float
    hidden: Float
    embeds: Float
    tokens: int


def scaled(source: Path, folder: Path) -> Path:
    """Return the copy of an export that the command writes into a folder."""
    target = folder / "scaled"
    assert main([str(source), str(target)]) == 0
    return target


def integrated(path: Path, row: Float) -> Integrated:
    """Run an export on one recording's features."""
    model = onnx.load(str(path))
    graph = Graph(model)
    alphas, summation = patterns.cif_weights(graph, "token_num")
    embeds = patterns.acoustic_embeds(graph, alphas, summation, "logits")
    hidden = patterns.encoder_output(graph, graph.output_names)
    for name in (alphas, hidden, embeds):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    feed = {"speech": row[None], "speech_lengths": np.array([len(row)], np.int32)}
    outputs = session.run([alphas, hidden, embeds, "token_num"], feed)
    return Integrated(outputs[0][0], outputs[1][0], outputs[2][0], int(outputs[3][0]))
