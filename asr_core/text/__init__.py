"""Tokens to words to text, and when each word was said.

    pieces of a vocabulary ─ words ─ DecodedWord … ─ join_words ─ text
                                                   └ word_tensors ─ arrays of a response

`timestamps` places tokens in time: by CIF fires (Paraformer, fa-zh), or by CTC frames (SenseVoice).
"""

from asr_core.text.timestamps import (
    CIF_UPSAMPLING,
    aligned_spans_ms,
    cif_spans_ms,
    ctc_span_ms,
)
from asr_core.text.word_tensors import pack_words
from asr_core.text.words import (
    CONTINUES,
    DecodedWord,
    is_letter,
    join_pieces,
    join_words,
    merge_words,
)

__all__ = [
    "CIF_UPSAMPLING",
    "CONTINUES",
    "DecodedWord",
    "aligned_spans_ms",
    "cif_spans_ms",
    "ctc_span_ms",
    "is_letter",
    "join_pieces",
    "join_words",
    "merge_words",
    "pack_words",
]
