"""FSMN-VAD: audio in pieces of any size to segments of speech.

    samples ─ frontend ─ features, levels ─ encoder (injected) ─ silence_probs ─ detector ─ segments

`scoring` lets the streams of a server share runs of the encoder, `options` are FunASR's, and
`requests` answers a model's requests.
"""

from asr_core.vad.detector import SegmentDetector, SpanMs
from asr_core.vad.options import VadOptions, options_from_config, override_options
from asr_core.vad.requests import VadAnswer, VadRequest, VadService
from asr_core.vad.scoring import VAD_ENCODER_OUTPUTS, VadModel, VadStream, load_vad, score_streams

__all__ = [
    "VAD_ENCODER_OUTPUTS",
    "SegmentDetector",
    "SpanMs",
    "VadAnswer",
    "VadModel",
    "VadOptions",
    "VadRequest",
    "VadService",
    "VadStream",
    "load_vad",
    "options_from_config",
    "override_options",
    "score_streams",
]
