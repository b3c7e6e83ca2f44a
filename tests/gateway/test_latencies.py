"""How late texts are is known without remembering all that was said."""

from __future__ import annotations

import time
import tracemalloc

from asr_gateway.live.latencies import TextLatencies
from asr_gateway.live.reports import Bound
from asr_gateway.shared.gateway import Gateway
from asr_gateway.shared.settings import GatewaySettings

FRAME_MS, STRETCH_FRAMES, STRETCHES = 60.0, 40, 100


def test_what_was_reported_is_not_remembered():
    """Without partial texts, too, which a machine that is too small spares."""
    latencies = TextLatencies(Gateway(GatewaySettings()))

    def say(stretch: int) -> None:
        begin = stretch * STRETCH_FRAMES
        for frame in range(begin, begin + STRETCH_FRAMES):
            latencies.arrived(FRAME_MS * frame, time.monotonic())
        end_ms = int(FRAME_MS * (begin + STRETCH_FRAMES))
        latencies.sent(Bound("began", stretch, int(FRAME_MS * begin)))
        latencies.sent(Bound("ended", stretch, end_ms))
        latencies.sent(Bound("reported", stretch, end_ms))

    say(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for stretch in range(1, STRETCHES):
            say(stretch)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 200 * STRETCH_FRAMES * 10  # bytes of some stretches, not of a hundred
