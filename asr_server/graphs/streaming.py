"""Prepares the two graphs of the streaming Paraformer."""

from __future__ import annotations

import numpy as np

from asr_server.graphs import masks, patterns
from asr_server.graphs.caches import (
    CACHED_COLUMNS,
    NEW_COLUMNS,
    carry_columns,
    flat_lengths,
)
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.front_end import INPUTS as FRONT_END_INPUTS
from asr_server.graphs.front_end import POSITIONS, FrontEnd
from asr_server.graphs.graph import FLOAT, INT32, Graph
from asr_server.graphs.row_loop import RowLoop, Width
from asr_server.graphs.separators import separators
from asr_server.graphs.token_ids import end_in_token_ids, token_outputs, token_widths

ENCODER_INPUTS = ["speech", "speech_lengths"]
ENCODER_OUTPUTS = ["enc", "enc_len", "alphas"]
DECODER_INPUTS = ["enc", "enc_len", "acoustic_embeds", "acoustic_embeds_len"]
DECODER_OUTPUTS = ["logits", "sample_ids"]
IN_CACHE, OUT_CACHE = "in_cache_", "out_cache_"

ENCODER_LOOP = RowLoop(
    cuts={"positions": "window_lengths"},
    widths={"hidden": Width(1, of="positions"), "alphas": Width(1, of="positions")},
)
DECODER_LOOP = RowLoop(
    cuts={"hidden": "hidden_lengths", "acoustic_embeds": "embeds_lengths"},
    widths={
        **token_widths(of="acoustic_embeds"),
        NEW_COLUMNS: Width(1, of="acoustic_embeds"),
    },
)


def prepare_streaming_encoder(graph: Graph, front_end: FrontEnd) -> dict[str, int]:
    """Put the front end before a streaming encoder and make its rows independent.

    Args:
        graph: FunASR's export: `speech` [B, T, 560], `speech_lengths` [B] -> `enc` [B, T, D],
            `enc_len` [B], `alphas` [B, T].
        front_end: computes `speech`.

    Returns:
        How often each edit was made. The inputs are now `fbank` [B, F, 80], `first_position`
        [B, 1], `positions` [B, T] and `window_lengths` [B, 1], the outputs `hidden` [B, T, D] and
        `alphas` [B, T], both zero beyond each window's length.

    Raises:
        PrepareError: the graph does not have the expected patterns.
    """
    patterns.check_signature(graph, ENCODER_INPUTS, ENCODER_OUTPUTS)
    _check_width(graph, "speech", front_end.feature_dim, "n_mels x lfr_m of config.yaml")
    _check_width(graph, "enc", front_end.output_size, "encoder_conf.output_size of config.yaml")
    if "enc" not in separators(graph, "speech", ["alphas"]):
        raise PrepareError("expected 'alphas' to depend on the speech through 'enc' alone")
    maxima = patterns.length_maxima(graph, "speech_lengths")
    num_rows = graph.dim(POSITIONS, 1)
    lengths = flat_lengths(graph, "window_lengths", graph.input_types["speech_lengths"])
    mask = masks.frame_mask(graph, num_rows, lengths)
    mask_3d = graph.unsqueeze(mask, 2)
    speech = masks.keep_where(graph, mask_3d, front_end.add_to(graph))

    edits = {"mask_maxima": masks.take_mask_lengths_from_shape(graph, maxima, num_rows)}
    graph.replace_uses("speech", speech)
    graph.replace_uses("speech_lengths", lengths)
    graph.rename_output_of("enc", "prepared/enc")
    zero = graph.constant(0.0, np.float32)
    hidden = graph.add("Where", [mask_3d, "prepared/enc", zero], name="hidden")
    edits["encoder_output_readers"] = graph.replace_uses(
        "prepared/enc", hidden, except_for=[hidden]
    )
    graph.set_inputs({**FRONT_END_INPUTS, "window_lengths": (INT32, ["batch", 1])})
    graph.set_outputs(
        {
            "hidden": (FLOAT, ["batch", "frames", front_end.output_size]),
            "alphas": (FLOAT, ["batch", "frames"]),
        }
    )
    graph.finish()
    return edits


def prepare_streaming_decoder(graph: Graph) -> dict[str, int]:
    """Let a streaming decoder take its caches packed and make its rows independent.

    Args:
        graph: FunASR's export: `enc` [B, T, D], `enc_len` [B], `acoustic_embeds` [B, N, D],
            `acoustic_embeds_len` [B], L `in_cache_i` [B, D, K] -> `logits` [B, N, V],
            `sample_ids` [B, N], L `out_cache_i` [B, D, K].

    Returns:
        How often each edit was made. The inputs are now `hidden` [B, T, D], `hidden_lengths`
        [B, 1], `acoustic_embeds` [B, N, D], `embeds_lengths` [B, 1] and `cached_columns`
        [B, K, L, D], the outputs `token_ids`, `token_scores` [B, N], `candidate_ids`,
        `candidate_scores` [B, N, C] and `new_columns` [B, N, L, D].

    Raises:
        PrepareError: the graph does not have the expected patterns.
    """
    num_layers = sum(name.startswith(IN_CACHE) for name in graph.input_types)
    layers = range(num_layers)
    patterns.check_signature(
        graph,
        DECODER_INPUTS + [f"{IN_CACHE}{i}" for i in layers],
        DECODER_OUTPUTS + [f"{OUT_CACHE}{i}" for i in layers],
    )
    carry_columns(graph, [(f"{IN_CACHE}{i}", f"{OUT_CACHE}{i}") for i in layers])
    frame_maxima = patterns.length_maxima(graph, "enc_len")
    token_maxima = patterns.length_maxima(graph, "acoustic_embeds_len")
    num_frames, num_tokens = graph.dim("hidden", 1), graph.dim("acoustic_embeds", 1)
    edits = {
        "mask_maxima": masks.take_mask_lengths_from_shape(graph, frame_maxima, num_frames)
        + masks.take_mask_lengths_from_shape(graph, token_maxima, num_tokens),
        "caches": num_layers,
    }
    hidden_lengths = flat_lengths(graph, "hidden_lengths", graph.input_types["enc_len"])
    embeds_lengths = flat_lengths(graph, "embeds_lengths", graph.input_types["acoustic_embeds_len"])
    graph.replace_uses("enc_len", hidden_lengths)
    graph.replace_uses("acoustic_embeds_len", embeds_lengths)
    frames = masks.frame_mask(graph, num_frames, hidden_lengths)
    graph.replace_uses("enc", masks.keep_where(graph, graph.unsqueeze(frames, 2), "hidden"))
    tokens = masks.frame_mask(graph, num_tokens, embeds_lengths)
    embeds = masks.keep_where(graph, graph.unsqueeze(tokens, 2), "acoustic_embeds")
    size_readers = [n.output[0] for n in graph.consumers("acoustic_embeds") if n.op_type == "Shape"]
    graph.replace_uses("acoustic_embeds", embeds, except_for=[embeds, *size_readers])
    end_in_token_ids(graph, "logits")
    column = [num_layers, _column_width(graph)]
    graph.set_inputs(
        {
            "hidden": (FLOAT, ["batch", "frames", column[1]]),
            "hidden_lengths": (INT32, ["batch", 1]),
            "acoustic_embeds": (FLOAT, ["batch", "tokens", column[1]]),
            "embeds_lengths": (INT32, ["batch", 1]),
            CACHED_COLUMNS: (FLOAT, ["batch", "columns", *column]),
        }
    )
    graph.set_outputs(
        {
            **token_outputs("tokens"),
            NEW_COLUMNS: (FLOAT, ["batch", "tokens", *column]),
        }
    )
    graph.finish()
    return edits


def _column_width(graph: Graph) -> int | str:
    """Return the width of the caches as the export declares it."""
    return graph.declared_dims(f"{IN_CACHE}0")[1]


def _check_width(graph: Graph, tensor: str, expected: int, source: str) -> None:
    found = graph.declared_dims(tensor)[-1]
    if found != expected:
        raise PrepareError(f"{tensor}: expected {expected} columns ({source}), got {found}")
