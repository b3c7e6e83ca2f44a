"""CT-Transformer: texts, or texts that go on, to the same with marks.

    text ─ split_words ─ windows of words ─ tagger (injected) ─ mark ids ─ write_words ─ text

`marks` knows how words and marks are written, `marking` which words a run looks at and which marks
are settled, `own_marks` which a text brings itself, and `requests` answers a model's requests.
"""

from asr_core.punctuation.marking import (
    Passage,
    Punctuated,
    finish_offline,
    finish_streaming,
    load_punctuation,
    tag_passages,
)
from asr_core.punctuation.requests import PunctuationRequest, PunctuationService, pack_punctuated

__all__ = [
    "Passage",
    "Punctuated",
    "PunctuationRequest",
    "PunctuationService",
    "finish_offline",
    "finish_streaming",
    "load_punctuation",
    "pack_punctuated",
    "tag_passages",
]
