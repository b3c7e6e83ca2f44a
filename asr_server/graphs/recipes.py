"""What is done with each kind of graph, and how its kind is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asr_server.graphs.aligner import ALIGNER_OUTPUTS, prepare_aligner
from asr_server.graphs.front_end import load_front_end
from asr_server.graphs.graph import Graph
from asr_server.graphs.hotwords import BIAS_EMBED, BIAS_EMBED_LENGTHS, hotword_dim
from asr_server.graphs.paraformer import prepare_paraformer
from asr_server.graphs.punctuation import PUNCTUATION_LOOP, prepare_punctuation
from asr_server.graphs.row_loop import RowLoop, Width
from asr_server.graphs.sensevoice import prepare_sensevoice
from asr_server.graphs.speaker import SPEAKER_OUTPUTS, prepare_speaker
from asr_server.graphs.streaming import (
    DECODER_LOOP,
    ENCODER_LOOP,
    prepare_streaming_decoder,
    prepare_streaming_encoder,
)
from asr_server.graphs.token_ids import token_widths
from asr_server.graphs.vad import VAD_LOOP, load_silence_ids, prepare_vad
from asr_server.graphs.verify_aligner import prove_aligner
from asr_server.graphs.verify_punctuation import prove_punctuation
from asr_server.graphs.verify_speaker import prove_speaker
from asr_server.graphs.verify_streaming_decoder import prove_decoder
from asr_server.graphs.verify_streaming_encoder import prove_encoder
from asr_server.graphs.verify_vad import prove_vad
from asr_server.models.names import GraphKind

# A frame's CIF weight is at most 1, so no row of T frames fires more than T + 1 tokens; SenseVoice
# has four prompt frames before the audio's.
_TOKENS = token_widths(1, at_most=True)


def _offline_loop(widths: dict[str, Width], count: str, hotwords: bool = False) -> RowLoop:
    cuts = {"speech": "speech_lengths"}
    if hotwords:
        cuts[BIAS_EMBED] = BIAS_EMBED_LENGTHS
    return RowLoop(cuts, {**_TOKENS, **widths}, frozenset({count}))


def _timestamps(per_frame: int) -> dict[str, Width]:
    return {name: Width(per_frame) for name in ("us_alphas", "us_cif_peak")}


ROW_LOOPS: dict[GraphKind, RowLoop] = {
    "paraformer": _offline_loop(_timestamps(1), "token_num"),
    "bicif_paraformer": _offline_loop(_timestamps(3), "token_num"),
    "contextual_paraformer": _offline_loop(_timestamps(1), "token_num", hotwords=True),
    "seaco_paraformer": _offline_loop(_timestamps(3), "token_num", hotwords=True),
    "sensevoice": _offline_loop(token_widths(4), "encoder_out_lens"),
    "streaming_encoder": ENCODER_LOOP,
    "streaming_decoder": DECODER_LOOP,
    "vad": VAD_LOOP,
    "punctuation": PUNCTUATION_LOOP,
    "punctuation_online": PUNCTUATION_LOOP,
}

# Their caches must end with each row's own last column, which takes more than cutting the rows.
WITH_CACHES: frozenset[GraphKind] = frozenset({"streaming_encoder", "streaming_decoder", "vad"})


@dataclass(frozen=True)
class Recipe:
    """What is done with one kind of graph.

    Attributes:
        rewrite: edits a graph; with False, no more than the row loop needs. Returns its edits.
        prove: takes original, prepared file, threads, and whether to optimise, and returns figures;
            None for recognisers, which are proved on features.
        hotword_dim: width of a hotword's embedding, 1 where the graph takes none.
    """

    rewrite: Callable[[Graph, bool], dict[str, int]]
    prove: Callable[[Path, Path, int, bool], dict[str, float]] | None = None
    hotword_dim: int = 1


def find_kind(graph: Graph) -> GraphKind:
    """Tell a graph of FunASR's by its inputs and outputs."""
    outputs = graph.output_names
    if "inputs" in graph.input_types:
        return "punctuation_online" if "vad_masks" in graph.input_types else "punctuation"
    if "out_cache0" in outputs:
        return "vad"
    if outputs == SPEAKER_OUTPUTS:
        return "speaker"
    if outputs == ALIGNER_OUTPUTS:
        return "aligner"
    if "ctc_logits" in outputs:
        return "sensevoice"
    if "enc" in outputs and "alphas" in outputs:
        return "streaming_encoder"
    if "sample_ids" in outputs:
        return "streaming_decoder"
    if BIAS_EMBED in graph.input_types:
        return "seaco_paraformer" if "us_alphas" in outputs else "contextual_paraformer"
    return "bicif_paraformer" if "us_alphas" in outputs else "paraformer"


def find_recipe(kind: GraphKind, model_dir: Path, graph: Graph) -> Recipe:
    """Return what to do with a graph, read from the files beside it where need be.

    Raises:
        PrepareError: the graph, or a file beside it, cannot be understood.
        FileNotFoundError: one is missing.
    """
    if kind == "streaming_encoder":
        front_end = load_front_end(model_dir)
        return Recipe(
            lambda graph, _: prepare_streaming_encoder(graph, front_end),
            lambda source, work, threads, optimise: prove_encoder(
                source, work, front_end, threads, optimise
            ),
        )
    if kind == "streaming_decoder":
        return Recipe(lambda graph, _: prepare_streaming_decoder(graph), prove_decoder)
    if kind == "vad":
        silence_ids = load_silence_ids(model_dir)
        return Recipe(
            lambda graph, _: prepare_vad(graph, silence_ids),
            lambda source, work, threads, optimise: prove_vad(
                source, work, silence_ids, threads, optimise
            ),
        )
    if kind in ("punctuation", "punctuation_online"):
        return Recipe(prepare_punctuation, prove_punctuation)
    if kind == "speaker":
        return Recipe(lambda graph, _: prepare_speaker(graph), prove_speaker)
    if kind == "aligner":
        return Recipe(lambda graph, _: prepare_aligner(graph), prove_aligner)
    if kind == "sensevoice":
        return Recipe(prepare_sensevoice)
    return Recipe(prepare_paraformer, hotword_dim=hotword_dim(graph))
