"""Below which confidence a text is doubtful: as likely noise, or wrong, as what was said.

The confidence of a sentence is the geometric mean of its words' probabilities. The thresholds are
calibrated on the embedded models' held-out speech and on clips without speech, for SenseVoice's
scores, which are of frames, and for Paraformer's, which are of tokens: figures and command in
docs/confidence.md.
"""

from __future__ import annotations

from .models import SENSEVOICE_MODEL, STREAMING_MODEL

DOUBTFUL_CONFIDENCE = 0.5
_OF_MODEL = {SENSEVOICE_MODEL: 0.75, STREAMING_MODEL: 0.65}


def doubtful_below(model: str) -> float:
    """Return the confidence, 0 to 1, below which a text of a Triton model is doubtful."""
    return _OF_MODEL.get(model, DOUBTFUL_CONFIDENCE)


def is_doubtful(confidence: float | None, model: str) -> bool:
    """Tell whether a confidence is too low to rely on; no where there is none."""
    return confidence is not None and confidence < doubtful_below(model)


# An alignment's: words that were spoken are below it in two of a hundred cases, others almost
# always (docs/alignment.md).
HEARD_CONFIDENCE = 0.1


def is_heard(confidence: float | None) -> bool:
    """Tell whether a word of a given text is in the audio; yes where that is not known."""
    return confidence is None or confidence >= HEARD_CONFIDENCE
