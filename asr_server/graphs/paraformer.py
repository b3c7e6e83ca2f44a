"""Prepares Paraformer, BiCifParaformer, ContextualParaformer and SeacoParaformer."""

from __future__ import annotations

import numpy as np

from asr_core.features import FEATURE_DIM
from asr_server.graphs import cif, hotwords, masks, patterns
from asr_server.graphs.graph import FLOAT, INT32, Graph
from asr_server.graphs.hotwords import BIAS_EMBED, BIAS_EMBED_LENGTHS
from asr_server.graphs.token_ids import end_in_token_ids, token_outputs

INPUTS = ["speech", "speech_lengths"]
OUTPUTS = ["logits", "token_num"]
TIMESTAMP_OUTPUTS = ["us_alphas", "us_cif_peak"]


def prepare_paraformer(graph: Graph, padding: bool) -> dict[str, int]:
    """Rewrite the graph of any Paraformer.

    Args:
        graph: FunASR's export: `speech` [B, T, 560], `speech_lengths` [B] and, for models with
            hotwords, `bias_embed` [B, W, D] -> `logits` [B, N, V], `token_num` [B] and, for BiCif
            and SeACo, `us_alphas`, `us_cif_peak` [B, 3T].
        padding: make rows independent of padding and batch; otherwise only end in token ids.

    Returns:
        How often each edit was made. The graph now takes `bias_embed` [B, W, D] and how many of the
        W are each row's own, `bias_embed_lengths` [B], in any case (a model without hotwords
        ignores both) and gives `token_ids`, `token_scores` [B, N], `candidate_ids`,
        `candidate_scores` [B, N, C], `token_num` [B], `us_alphas` and `us_cif_peak` [B, U] (U = T
        and all zero for a model
        without timestamps), so that one configuration serves all.

    Raises:
        PrepareError: the graph does not have the expected patterns.
    """
    timestamps = "us_alphas" in graph.output_names
    hotword_width = hotwords.hotword_dim(graph) if BIAS_EMBED in graph.input_types else "hidden"
    takes_hotwords = BIAS_EMBED in graph.input_types
    patterns.check_signature(
        graph,
        INPUTS + ([BIAS_EMBED] if takes_hotwords else []),
        OUTPUTS + (TIMESTAMP_OUTPUTS if timestamps else []),
    )
    # Everything is found before anything is changed.
    encoder_output = patterns.encoder_output(graph, graph.output_names) if padding else ""
    edits: dict[str, int] = {}
    graph.retype_input("speech_lengths", INT32)
    graph.set_inputs(
        {
            "speech": (FLOAT, ["batch", "frames", FEATURE_DIM]),
            "speech_lengths": (INT32, ["batch"]),
            BIAS_EMBED: (FLOAT, ["batch", "hotwords", hotword_width]),
            BIAS_EMBED_LENGTHS: (INT32, ["batch"]),
        }
    )
    if padding:
        choice = hotwords.find_filter(graph) if takes_hotwords and timestamps else None
        edits = _make_rows_independent(graph, encoder_output, timestamps, choice)
    end_in_token_ids(graph, "logits")
    if not timestamps:
        _add_empty_timestamps(graph)
    upsampled = "frames_upsampled" if timestamps else "frames"
    graph.set_outputs(
        {
            **token_outputs("tokens"),
            "token_num": (INT32, ["batch"]),
            "us_alphas": (FLOAT, ["batch", upsampled]),
            "us_cif_peak": (FLOAT, ["batch", upsampled]),
        }
    )
    graph.finish()
    return edits


def _make_rows_independent(
    graph: Graph, encoder_output: str, timestamps: bool, choice: hotwords.HotwordFilter | None
) -> dict[str, int]:
    lengths = "speech_lengths"
    alphas, summation = patterns.cif_weights(graph, "token_num")
    embeds = patterns.acoustic_embeds(graph, alphas, summation, "logits")
    frame_maxima = patterns.length_maxima(graph, lengths)
    token_maxima = patterns.length_maxima(graph, "token_num")
    num_frames = graph.dim("speech", 1)
    mask = masks.frame_mask(graph, num_frames, lengths)

    hidden = masks.keep_where(graph, graph.unsqueeze(mask, 2), encoder_output)
    zeroed = graph.replace_uses(encoder_output, hidden, except_for=[hidden])
    if patterns.is_dynamic_int8(graph):
        num_tokens = cif.guard_cif(graph, alphas, summation, "token_num", embeds)
    else:
        num_tokens = cif.replace_cif(graph, alphas, hidden, "token_num", embeds)
    edits = {
        "mask_maxima": masks.take_mask_lengths_from_shape(graph, frame_maxima, num_frames)
        + masks.take_mask_lengths_from_shape(graph, token_maxima, num_tokens),
        "encoder_output_readers": zeroed,
        "cif": 1,
    }
    if timestamps:
        edits["recurrent_layers"] = masks.give_lengths_to_recurrent_layers(
            graph, lengths, num_frames
        )
        _mask_timestamps(graph, lengths)
    kept: dict[str, str] = {}
    if choice is not None:
        kept = hotwords.choose_by_row(graph, choice, num_tokens, "token_num")
        edits["hotword_filters"] = 1
    if any(BIAS_EMBED in node.input for node in graph.nodes):
        edits["hotword_attentions"] = hotwords.mask_hotwords(graph, kept)
    masks.blank_padding_of_speech(graph, mask)
    return edits


def _mask_timestamps(graph: Graph, lengths: str) -> None:
    """Zero the timestamps beyond each row's end, and those of rows in which nothing fires.

    There FunASR divides the tokens' number by a sum of weights that may be zero.
    """
    raw = "prepared/us_alphas"
    graph.rename_output_of("us_alphas", raw)
    upsampled = graph.dim(raw, 1)
    factor = graph.add("Div", [upsampled, graph.dim("speech", 1)])
    scaled = graph.add("Mul", [graph.cast(lengths, 7), factor])
    mask = masks.frame_mask(graph, upsampled, scaled)
    valid = graph.add("And", [mask, graph.add("Not", [graph.add("IsNaN", [raw])])])
    weights = graph.add("Where", [valid, raw, graph.constant(0.0, np.float32)], name="us_alphas")
    peaks = masks.keep_where(graph, mask, cif.cif_peaks(graph, weights))
    graph.rename_output_of("us_cif_peak", "prepared/us_cif_peak")
    graph.add("Identity", [peaks], name="us_cif_peak")


def _add_empty_timestamps(graph: Graph) -> None:
    """Add all-zero `us_alphas` and `us_cif_peak` [B, T]: the model gives no timestamps."""
    bounds = [graph.constant([number], np.int64) for number in (0, 2, 0)]
    shape = graph.add("Slice", [graph.add("Shape", ["speech"]), *bounds])
    for name in TIMESTAMP_OUTPUTS:
        graph.add("Expand", [graph.constant(0.0, np.float32), shape], name=name)
