"""Prepares FSMN-VAD."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr_core.config import load_config
from asr_core.vad import options_from_config
from asr_server.graphs import masks, patterns
from asr_server.graphs.caches import add_next_cache, flat_lengths, joined_cache
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import FLOAT, INT32, Graph
from asr_server.graphs.row_loop import RowLoop, Width

IN_CACHE, OUT_CACHE = "in_cache", "out_cache"

VAD_LOOP = RowLoop(cuts={"speech": "speech_lengths"}, widths={"silence_probs": Width(1)})


def prepare_vad(graph: Graph, silence_ids: Sequence[int]) -> dict[str, int]:
    """Let FSMN-VAD take its caches packed and give the probability of silence, for any batch.

    Args:
        graph: FunASR's export: `speech` [1, T, D], L `in_cachei` [1, P, C, 1] -> `logits` [1, T, V]
            (probabilities), L `out_cachei` [1, P, C, 1].
        silence_ids: the classes that mean silence, `model_conf.sil_pdf_ids` of `config.yaml`.

    Returns:
        How often each edit was made. The inputs are now `speech` [B, T, D], `speech_lengths`
        [B, 1] and `cache` [B, L, P, C], the outputs `silence_probs` [B, T], zero beyond each row's
        length, and `next_cache` [B, L, P, C], which ends with each row's own last frame.

    Raises:
        PrepareError: the graph does not have the expected patterns.
    """
    layers = range(sum(name.startswith(IN_CACHE) for name in graph.input_types))
    patterns.check_signature(
        graph,
        ["speech", *(f"{IN_CACHE}{i}" for i in layers)],
        ["logits", *(f"{OUT_CACHE}{i}" for i in layers)],
    )
    _check_classes(graph, silence_ids)
    dim = graph.declared_dims("speech")[-1]
    joined = [joined_cache(graph, f"{IN_CACHE}{i}", f"{OUT_CACHE}{i}") for i in layers]
    lengths = flat_lengths(graph, "speech_lengths", INT32)
    mask = masks.frame_mask(graph, graph.dim("speech", 1), lengths)
    masks.blank_padding_of_speech(graph, mask)
    for i in layers:
        layer = graph.add("Gather", ["cache", graph.constant(i, np.int64)], axis=1)
        graph.replace_uses(f"{IN_CACHE}{i}", graph.unsqueeze(layer, 3))
    last_axis = graph.constant([3], np.int64)
    rows = [graph.add("Squeeze", [name, last_axis]) for name in joined]
    add_next_cache(graph, rows, lengths)
    silence = graph.add("Gather", ["logits", graph.constant(silence_ids, np.int64)], axis=2)
    silence = graph.reduce("ReduceSum", silence, 2)
    zero = graph.constant(0.0, np.float32)
    graph.add("Where", [mask, silence, zero], name="silence_probs")
    cache = (FLOAT, ["batch", "layers", "proj_size", "cache_frames"])
    graph.set_inputs(
        {
            "speech": (FLOAT, ["batch", "frames", dim]),
            "speech_lengths": (INT32, ["batch", 1]),
            "cache": cache,
        }
    )
    graph.set_outputs({"silence_probs": (FLOAT, ["batch", "frames"]), "next_cache": cache})
    graph.finish()
    return {"caches": len(layers)}


def load_silence_ids(model_dir: Path) -> list[int]:
    """Read which classes mean silence: `model_conf.sil_pdf_ids` of `config.yaml`.

    Raises:
        FileNotFoundError: there is no such file.
        PrepareError: it has no such setting.
    """
    try:
        return list(options_from_config(load_config(model_dir)["model_conf"]).sil_pdf_ids)
    except (KeyError, ValueError) as error:
        raise PrepareError(f"{model_dir / 'config.yaml'}: model_conf: {error}") from error


def _check_classes(graph: Graph, silence_ids: Sequence[int]) -> None:
    node, classes = graph.producer("logits"), graph.declared_dims("logits")[-1]
    if node is None or node.op_type != "Softmax":
        found = node.op_type if node is not None else "no node"
        raise PrepareError(f"logits: expected probabilities from Softmax, found {found}")
    if not isinstance(classes, int) or not all(0 <= number < classes for number in silence_ids):
        raise PrepareError(
            f"sil_pdf_ids of config.yaml: expected numbers of the {classes} classes, got "
            f"{list(silence_ids)}"
        )
