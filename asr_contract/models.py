"""The names of the models that clients call.

Their parts (`sensevoice_encoder`, `vad_encoder` …) have names of their own, which only the server
knows.
"""

from __future__ import annotations

SENSEVOICE_MODEL = "sensevoice"
PARAFORMER_MODEL = "infer_pipeline"  # the name that existing clients call
STREAMING_MODEL = "streaming_paraformer"
VAD_MODEL = "vad"
SENSEVOICE_FRAMES_MODEL = "sensevoice_frames"  # what is likely in each frame of a recording
SENSEVOICE_ALIGNMENT_MODEL = "sensevoice_alignment"  # where a text is in frames
PUNCTUATION_MODEL = "punctuation"  # of a whole text
PUNCTUATION_ONLINE_MODEL = "punctuation_online"  # of a text that goes on
SPEAKER_MODEL = "speaker"  # whose voice a recording holds
ALIGNER_MODEL = "aligner"  # where a text is in a recording, by FunASR's fa-zh

# What people call the recognisers of whole recordings → what Triton serves under.
RECOGNISERS = {"sensevoice": SENSEVOICE_MODEL, "paraformer": PARAFORMER_MODEL}
DEFAULT_RECOGNISER = "sensevoice"


def triton_name(model: str) -> str:
    """Return the Triton name of a recogniser; itself for any other name."""
    return RECOGNISERS.get(model, model)
