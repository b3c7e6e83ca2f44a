"""SenseVoice: recordings in five languages to tags, text and words.

    waveforms ─ features ─ encoder (injected) ─ token_ids, token_scores ─ ctc ─ scoring ─ result

`recogniser` is that line; in a server its first step is the feature extractor's, with prompt ids
checked by `scoring`, and its last the scoring model's.
"""

from asr_core.sensevoice.recogniser import SenseVoiceRecogniser, sensevoice_inputs
from asr_core.sensevoice.scoring import (
    EMPTY_RESULT,
    NUM_TAG_FRAMES,
    TOKENIZER_NAME,
    SenseVoiceOutputs,
    SenseVoiceResult,
    SenseVoiceScoring,
    check_prompt_ids,
    strip_tags,
)

__all__ = [
    "EMPTY_RESULT",
    "NUM_TAG_FRAMES",
    "TOKENIZER_NAME",
    "SenseVoiceOutputs",
    "SenseVoiceRecogniser",
    "SenseVoiceResult",
    "SenseVoiceScoring",
    "check_prompt_ids",
    "sensevoice_inputs",
    "strip_tags",
]
