"""Forced alignment: where the words of a text are in a recording.

    words ─ text ─ tokens ─┐
    frames ────────────────┴ cuts ─ path ─ frames of each token ─┬ boundaries ─ times of words
    levels (how loud each 10 ms is) ─────────────────────────────┘

`aligner` is that picture. The frames are a CTC recogniser's: its best candidates in each.

FunASR's `fa-zh` needs of the text only how many tokens it is:

    words ─ characters ─ tokens of each ─┐
    waveform ─ front end ─ encoder ──────┴ CIF weights, scaled ─ times of words    (cif_requests)
"""

from asr_core.alignment.aligner import (
    NOT_WRITABLE,
    AlignedWord,
    CtcAligner,
    Frames,
    load_aligner,
)
from asr_core.alignment.boundaries import word_spans
from asr_core.alignment.characters import CharacterCounter
from asr_core.alignment.cif_requests import (
    ALIGNER_ENCODER_OUTPUTS,
    NO_WORD,
    AlignerEncoder,
    CifAlignmentService,
    CifRequest,
    load_cif_alignment,
)
from asr_core.alignment.cuts import Piece, cut
from asr_core.alignment.path import Heard, PathOptions, Stretch, best_paths
from asr_core.alignment.requests import AlignmentService
from asr_core.alignment.text import SpelledText, TextSpeller

__all__ = [
    "ALIGNER_ENCODER_OUTPUTS",
    "NOT_WRITABLE",
    "NO_WORD",
    "AlignedWord",
    "AlignerEncoder",
    "AlignmentService",
    "CharacterCounter",
    "CifAlignmentService",
    "CifRequest",
    "CtcAligner",
    "Frames",
    "Heard",
    "PathOptions",
    "Piece",
    "SpelledText",
    "Stretch",
    "TextSpeller",
    "best_paths",
    "cut",
    "load_aligner",
    "load_cif_alignment",
    "word_spans",
]
