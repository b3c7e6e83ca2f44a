"""What training and evaluation agree on about a VAD's frames."""

from __future__ import annotations

LABEL_DELAY_FRAMES = 3
"""The network sees two frames ahead; it may listen so much longer before it decides."""
SPEECH_THRESHOLD = 0.8
"""Probability above which the default `speech_noise_thres` of 0.6 calls a frame speech."""
