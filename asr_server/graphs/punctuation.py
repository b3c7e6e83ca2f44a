"""Prepares CT-Transformer, offline and streaming."""

from __future__ import annotations

import numpy as np

from asr_server.graphs import masks, patterns
from asr_server.graphs.caches import flat_lengths
from asr_server.graphs.graph import FLOAT, INT32, INT64, Dims, Graph
from asr_server.graphs.row_loop import RowLoop, Width

INPUTS = ["inputs", "text_lengths"]
MASKS = ["vad_masks", "sub_masks"]
STREAMING_INPUTS = [*INPUTS, *MASKS]
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

    Words of the context, its last one excepted, do not see what was said after the pause; all
    others see all. Both inputs, of the last layer and of those before it, get this mask, as
    FunASR's ONNX runtimes give it (in PyTorch, words in the layers before the last see none to
    come).

    Source: FunASR `funasr_onnx/punc_bin.py`, `CT_Transformer_VadRealtime.vad_mask`, and
    `runtime/onnxruntime/src/ct-transformer-online.cpp`.
    """
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    index = graph.add("Range", [zero, num_words, one])
    seeing, seen = graph.unsqueeze(index, 0, 2), graph.unsqueeze(index, 0, 1)
    pause = graph.unsqueeze(graph.cast("vad_indexes", INT64), 2)
    before = graph.add("Less", [seeing, graph.add("Sub", [pause, one])])
    after = graph.add("Not", [graph.add("Less", [seen, pause])])
    visible = graph.add("Not", [graph.add("And", [before, after])])
    present = graph.add("And", [visible, graph.unsqueeze(mask, 1)])
    computed = graph.unsqueeze(graph.cast(present, FLOAT), 1)
    for name in MASKS:
        graph.replace_uses(name, computed)
    return len(MASKS)
