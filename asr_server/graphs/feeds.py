"""Inputs of a prepared offline recogniser, one recording at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import Graph
from asr_server.graphs.hotwords import BIAS_EMBED, BIAS_EMBED_LENGTHS

Feed = Mapping[str, NDArray[Any]]

_HOTWORDS = 5


def make_feeds(model: ModelProto, recordings: Sequence[NDArray[np.float32]]) -> list[Feed]:
    """Return the inputs of one run for each recording.

    SenseVoice is asked for language `auto`, with and without ITN in turn; models with neural
    hotwords get some that mean nothing.

    Args:
        model: a prepared graph.
        recordings: features [T, 560].

    Raises:
        PrepareError: the graph is no offline recogniser.
    """
    graph = Graph(model)
    names = set(graph.input_types)
    if not names.issuperset({"speech", "speech_lengths"}):
        raise PrepareError(f"expected an offline recogniser, got inputs {', '.join(sorted(names))}")
    rng = np.random.default_rng(0)
    width = hotword_width(graph)
    feeds: list[Feed] = []
    for index, features in enumerate(recordings):
        norm = "withitn" if index % 2 else "woitn"
        known: dict[str, NDArray[Any]] = {
            "speech": features[None],
            "speech_lengths": np.array([len(features)], np.int32),
            "language": np.array([LANGUAGE_IDS["auto"]], np.int32),
            "textnorm": np.array([TEXT_NORM_IDS[norm]], np.int32),
            BIAS_EMBED: rng.uniform(-1, 1, (1, _HOTWORDS, width)).astype(np.float32),
            BIAS_EMBED_LENGTHS: np.array([_HOTWORDS], np.int32),
        }
        feeds.append({name: value for name, value in known.items() if name in names})
    return feeds


def padded_batch(feeds: Sequence[Feed]) -> Feed:
    """Return one batch of all: what is computed of padding and of missing tokens counts too.

    Axis 1, that of time or tokens, is padded with zeros.
    """
    return {name: _pad_and_join([feed[name] for feed in feeds]) for name in feeds[0]}


def _pad_and_join(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if parts[0].ndim == 1:
        return np.concatenate(parts)
    longest = max(part.shape[1] for part in parts)
    rest = [(0, 0)] * (parts[0].ndim - 2)
    return np.concatenate(
        [np.pad(part, [(0, 0), (0, longest - part.shape[1]), *rest]) for part in parts]
    )


def hotword_width(graph: Graph) -> int:
    """Return the width of a hotword's embedding: that of the first weights it is multiplied with.

    1 for a prepared graph that takes hotwords and ignores them.
    """
    waiting, seen = [BIAS_EMBED], {BIAS_EMBED}
    while waiting:
        name = waiting.pop(0)
        for node in graph.consumers(name):
            if node.op_type == "MatMul" and node.input[0] == name:
                weight = graph.constant_value(node.input[1])
                if weight is not None:
                    return int(weight.shape[0])
            new = [one for one in node.output if one not in seen]
            waiting += new
            seen.update(new)
    return 1
