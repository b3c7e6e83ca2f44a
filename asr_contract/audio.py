"""The audio that every model takes: one channel, float32 in [-1, 1], at one sample rate."""

from __future__ import annotations

SAMPLE_RATE = 16_000  # Hz; what every model here was trained on
SAMPLES_PER_MS = SAMPLE_RATE // 1000
