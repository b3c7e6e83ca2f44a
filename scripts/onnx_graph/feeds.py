"""Inputs of a prepared offline recogniser, one recording at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from asr_core.sensevoice import LANGUAGE_IDS, TEXT_NORM_IDS
from scripts.onnx_graph.errors import PrepareError
from scripts.onnx_graph.graph import Graph

Feed = Mapping[str, NDArray[Any]]

_BIAS_EMBED = "bias_embed"


def make_feeds(model: ModelProto, recordings: Sequence[NDArray[np.float32]]) -> list[Feed]:
    """Return the inputs of one run for each recording.

    SenseVoice is asked for language `auto`, with and without ITN in turn.

    Args:
        model: a prepared graph.
        recordings: features [T, 560].

    Raises:
        PrepareError: the graph needs hotwords, or is no offline recogniser.
    """
    graph = Graph(model)
    names = set(graph.input_types)
    if not names.issuperset({"speech", "speech_lengths"}):
        raise PrepareError(f"expected an offline recogniser, got inputs {', '.join(sorted(names))}")
    if _BIAS_EMBED in names and graph.consumers(_BIAS_EMBED):
        raise PrepareError("models with neural hotwords are converted to no other precision")
    feeds: list[Feed] = []
    for index, features in enumerate(recordings):
        norm = "withitn" if index % 2 else "woitn"
        known: dict[str, NDArray[Any]] = {
            "speech": features[None],
            "speech_lengths": np.array([len(features)], np.int32),
            "language": np.array([LANGUAGE_IDS["auto"]], np.int32),
            "textnorm": np.array([TEXT_NORM_IDS[norm]], np.int32),
            _BIAS_EMBED: np.zeros((1, 1, 1), np.float32),
        }
        feeds.append({name: value for name, value in known.items() if name in names})
    return feeds
