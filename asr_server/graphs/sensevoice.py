"""Prepares SenseVoiceSmall."""

from __future__ import annotations

from asr_core.features import FEATURE_DIM
from asr_server.graphs import masks, patterns
from asr_server.graphs.graph import INT32, Graph
from asr_server.graphs.token_ids import end_in_token_ids, token_outputs

INPUTS = ["speech", "speech_lengths", "language", "textnorm"]
OUTPUTS = ["ctc_logits", "encoder_out_lens"]


def prepare_sensevoice(graph: Graph, padding: bool) -> dict[str, int]:
    """Rewrite a SenseVoiceSmall graph.

    Args:
        graph: FunASR's export: `speech` [B, T, 560], `speech_lengths`, `language`, `textnorm` [B]
            -> `ctc_logits` [B, T + 4, V], `encoder_out_lens` [B].
        padding: make rows independent of padding and batch; otherwise only end in token ids.

    Returns:
        How often each edit was made. The outputs are now `token_ids`, `token_scores` [B, T + 4],
        `candidate_ids`, `candidate_scores` [B, T + 4, C] and `encoder_out_lens` [B].

    Raises:
        PrepareError: the graph does not have the expected inputs and outputs.
    """
    patterns.check_signature(graph, INPUTS, OUTPUTS)
    graph.set_input_dims("speech", ["batch", "frames", FEATURE_DIM])
    for name in INPUTS[1:]:
        graph.retype_input(name, INT32)
        graph.set_input_dims(name, ["batch"])
    edits: dict[str, int] = {}
    if padding:
        num_frames = graph.dim("speech", 1)
        maxima = masks.take_mask_lengths_from_shape(
            graph, patterns.length_maxima(graph, "speech_lengths"), num_frames
        )
        masks.blank_padding_of_speech(graph, masks.frame_mask(graph, num_frames, "speech_lengths"))
        edits = {"mask_maxima": maxima}
    end_in_token_ids(graph, "ctc_logits")
    if graph.element_type("encoder_out_lens") != INT32:
        graph.rename_output_of("encoder_out_lens", "prepared/encoder_out_lens")
        graph.add("Cast", ["prepared/encoder_out_lens"], name="encoder_out_lens", to=INT32)
    graph.set_outputs(
        {
            **token_outputs("encoder_frames"),
            "encoder_out_lens": (INT32, ["batch"]),
        }
    )
    graph.finish()
    return edits
