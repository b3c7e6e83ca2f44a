"""The audio that every model takes, and the units of time in which it is counted.

One channel, float32 in [-1, 1], at one sample rate.
"""

from __future__ import annotations

SAMPLE_RATE = 16_000  # Hz; what every model here was trained on
SAMPLES_PER_MS = SAMPLE_RATE // 1000

ROW_MS = 60  # of an encoder's rows, which `chunk_size` counts
LEVEL_MS = 10  # between two of the levels that an aligner is given
