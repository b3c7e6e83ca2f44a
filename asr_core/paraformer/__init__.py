"""Paraformer: Chinese mixed with English to words with times, with hotwords where it takes any.

    waveforms ─ features ─┐
    hotwords ─ bias_embed ┴ encoder (injected) ─ token_ids, CIF weights ─ scoring ─ words

`recogniser` is that picture. `hotword_tokenizer`, `hotword_embedder` and `hotword_bias` make the
embeddings of hotwords. `cif` integrates a stream's weights: offline, the graph does so itself.
"""

from asr_core.paraformer.cif import CifIntegrator, Fires
from asr_core.paraformer.decoding import load_paraformer_decoder
from asr_core.paraformer.hotword_bias import HotwordBias, NoHotwords, load_hotword_bias
from asr_core.paraformer.hotword_embedder import (
    EMBEDDER_FILE,
    LstmLayer,
    load_embedder,
    save_embedder,
)
from asr_core.paraformer.hotword_tokenizer import (
    MAX_HOTWORD_TOKENS,
    SEGMENTATION_FILE,
    load_segmentation,
)
from asr_core.paraformer.recogniser import (
    ParaformerRecogniser,
    paraformer_inputs,
    repeat_embedding,
)
from asr_core.paraformer.scoring import (
    BLANK,
    END,
    SPECIAL_PIECES,
    ParaformerOutputs,
    ParaformerRow,
    ParaformerScoring,
    load_pieces,
    load_scoring,
    silent_ids,
)

__all__ = [
    "BLANK",
    "EMBEDDER_FILE",
    "END",
    "MAX_HOTWORD_TOKENS",
    "SEGMENTATION_FILE",
    "SPECIAL_PIECES",
    "CifIntegrator",
    "Fires",
    "HotwordBias",
    "LstmLayer",
    "NoHotwords",
    "ParaformerOutputs",
    "ParaformerRecogniser",
    "ParaformerRow",
    "ParaformerScoring",
    "load_embedder",
    "load_hotword_bias",
    "load_paraformer_decoder",
    "load_pieces",
    "load_scoring",
    "load_segmentation",
    "paraformer_inputs",
    "repeat_embedding",
    "save_embedder",
    "silent_ids",
]
