"""Below which confidence a text is doubtful: as likely noise, or wrong, as what was said.

The confidence of a sentence is the geometric mean of its words' probabilities. The threshold is
calibrated on the embedded models' held-out speech and on clips without speech, for SenseVoice's
scores and for Paraformer's: `python -m lab.training.evaluate_nonspeech`, figures in
docs/confidence.md.
"""

from __future__ import annotations

DOUBTFUL_CONFIDENCE = 0.5


def is_doubtful(confidence: float | None) -> bool:
    """Tell whether a confidence, 0 to 1, is too low to rely on; no where there is none."""
    return confidence is not None and confidence < DOUBTFUL_CONFIDENCE
