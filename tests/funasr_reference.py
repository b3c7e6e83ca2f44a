"""What `funasr_onnx` says of a recording: the reference of the parity tests and of installing."""

from asr_server.install.funasr_reference import (
    DROPPED,
    FIRE_THRESHOLD,
    ParaformerReference,
    SenseVoiceReference,
    StreamingReference,
    end_loose_pieces,
)

__all__ = [
    "DROPPED",
    "FIRE_THRESHOLD",
    "ParaformerReference",
    "SenseVoiceReference",
    "StreamingReference",
    "end_loose_pieces",
]
