"""Prepares CT-Transformer, offline and streaming."""

from __future__ import annotations

import numpy as np

from scripts.onnx_graph import masks, patterns
from scripts.onnx_graph.caches import flat_lengths
from scripts.onnx_graph.graph import FLOAT, INT32, INT64, Dims, Graph
from scripts.onnx_graph.row_loop import RowLoop, Width

INPUTS = ["inputs", "text_lengths"]
STREAMING_INPUTS = [*INPUTS, "vad_masks", "sub_masks"]
OUTPUTS = ["logits"]

PUNCTUATION_LOOP = RowLoop(
    cuts={"word_ids": "word_lengths"}, widths={"punctuations": Width(1, of="word_ids")}
)


def prepare_punctuation(graph: Graph, padding: bool) -> dict[str, int]:
    """Let CT-Transformer give the id of each word's mark, whatever the batch.

    Args:
        graph: FunASR's export: `inputs` [B, T] (word ids), `text_lengths` [B] -> `logits`
            [B, T, marks]; the streaming one also takes `vad_masks` and `sub_masks` [1, 1, T, T].
        padding: make rows independent of padding and batch; otherwise only end in ids.

    Returns:
        How often each edit was made. The inputs are now `word_ids` [B, T], `word_lengths` [B, 1]
        and, streaming, `vad_indexes` [B, 1]: how many of the words are context from before the
        pause; the output is `punctuations` [B, T], zero beyond each row's length.

    Raises:
        PrepareError: the graph does not have the expected inputs and outputs.
    """
    streaming = "vad_masks" in graph.input_types
    patterns.check_signature(graph, STREAMING_INPUTS if streaming else INPUTS, OUTPUTS, INT32)
    maxima = patterns.length_maxima(graph, "text_lengths") if padding else []
    num_words = graph.dim("word_ids", 1)
    edits = {"mask_maxima": masks.take_mask_lengths_from_shape(graph, maxima, num_words)}
    lengths = flat_lengths(graph, "word_lengths", graph.input_types["text_lengths"])
    mask = masks.frame_mask(graph, num_words, lengths)
    if streaming:
        edits["masks"] = _compute_masks(graph, mask, num_words)
    zero = graph.constant(0, np.int32)
    graph.replace_uses("inputs", graph.add("Where", [mask, "word_ids", zero]))
    graph.replace_uses("text_lengths", lengths)
    best = graph.cast(graph.add("ArgMax", ["logits"], axis=-1, keepdims=0), INT32)
    graph.add("Where", [mask, best, zero], name="punctuations")
    inputs: dict[str, tuple[int, Dims]] = {
        "word_ids": (INT32, ["batch", "words"]),
        "word_lengths": (INT32, ["batch", 1]),
    }
    if streaming:
        inputs["vad_indexes"] = (INT32, ["batch", 1])
    graph.set_inputs(inputs)
    graph.set_outputs({"punctuations": (INT32, ["batch", "words"])})
    graph.finish()
    return edits


def _compute_masks(graph: Graph, mask: str, num_words: str) -> int:
    """Replace the inputs that say which word sees which by what they must be.

    A word sees itself and those before it, and in the last layer all; there only the context's
    words, its last one excepted, do not see what was said after the pause.

    Source: FunASR `funasr/models/ct_transformer_streaming/encoder.py`, `SANMVadEncoder.forward`.
    """
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    index = graph.add("Range", [zero, num_words, one])
    seeing, seen = graph.unsqueeze(index, 0, 2), graph.unsqueeze(index, 0, 1)
    present = graph.unsqueeze(mask, 1)
    pause = graph.unsqueeze(graph.cast("vad_indexes", INT64), 2)
    before = graph.add("Less", [seeing, graph.add("Sub", [pause, one])])
    after = graph.add("Not", [graph.add("Less", [seen, pause])])
    hidden = graph.add("And", [before, after])
    allowed = {
        "vad_masks": graph.add("Not", [hidden]),
        "sub_masks": graph.add("Not", [graph.add("Less", [seeing, seen])]),
    }
    for name, values in allowed.items():
        computed = graph.cast(graph.add("And", [values, present]), FLOAT)
        graph.replace_uses(name, graph.unsqueeze(computed, 1))
    return len(allowed)
