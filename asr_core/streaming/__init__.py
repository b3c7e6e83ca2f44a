"""Streaming Paraformer: audio in pieces of any size to text that grows.

    samples ─ frontend ─ Windows ─ encoder (injected) ─ hidden, alphas ─ CIF ─ tokens that fired
                                         decoder (injected) ─ token_ids ─ text ─ Update

`recogniser` advances many streams at once from windows on, by the two `graphs`. `requests` divides
the work as the two sequence models do, each with the state that it owns.
"""

from asr_core.streaming.frontend import StreamingFrontend, Windows, no_windows
from asr_core.streaming.graphs import DECODER_OUTPUTS, ENCODER_OUTPUTS
from asr_core.streaming.recogniser import (
    CACHE_FILE,
    Step,
    Stream,
    StreamingModel,
    StreamingRecogniser,
    Update,
    load_streaming_model,
)
from asr_core.streaming.requests import (
    SearchRequest,
    StreamingFeatureService,
    StreamingSearchService,
)

__all__ = [
    "CACHE_FILE",
    "DECODER_OUTPUTS",
    "ENCODER_OUTPUTS",
    "SearchRequest",
    "Step",
    "Stream",
    "StreamingFeatureService",
    "StreamingFrontend",
    "StreamingModel",
    "StreamingRecogniser",
    "StreamingSearchService",
    "Update",
    "Windows",
    "load_streaming_model",
    "no_windows",
]
