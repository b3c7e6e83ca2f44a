"""Whose voice a recording holds, as a vector: the front end of CAM++, and the model's requests.

    float32 [S], 16 kHz ─ fbank, less its mean ─ [T, 80] ─ encoder ─ embedding [D]

Two recordings are of one speaker where the cosine of their embeddings is large; from which on,
a model's card says.
"""

from asr_core.speakers.fbank import SpeakerFbank
from asr_core.speakers.requests import (
    SHORTEST_FRAMES,
    SpeakerEncoder,
    SpeakerRequest,
    SpeakerService,
)

SPEAKER_ENCODER_OUTPUTS = ("embedding",)

__all__ = [
    "SHORTEST_FRAMES",
    "SPEAKER_ENCODER_OUTPUTS",
    "SpeakerEncoder",
    "SpeakerFbank",
    "SpeakerRequest",
    "SpeakerService",
]
