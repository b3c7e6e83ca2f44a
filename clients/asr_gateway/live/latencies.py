"""How late the text of an utterance is, counted as it is sent."""

from __future__ import annotations

import time

from asr_client import tracing

from ..shared import Gateway
from .arrivals import Arrivals
from .reports import Bound, Partial, Spoken


class TextLatencies:
    """Compares when audio of one utterance came with when its text is sent.

    Args:
        gateway: whose metrics count.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._metrics = gateway.metrics
        # Each of these places in the audio only grows, but not in step with the others.
        self._heard, self._begins, self._words = Arrivals(), Arrivals(), Arrivals()
        self._begun_s: dict[int, float] = {}  # by the number of the stretch, until it has text

    def arrived(self, received_ms: float, arrived_s: float) -> None:
        """Say how much of the utterance was there with a frame that came at `arrived_s`."""
        for arrivals in (self._heard, self._begins, self._words):
            arrivals.note(received_ms, arrived_s)

    def sent(self, event: Partial | Spoken | Bound) -> None:
        """Count how late a text is that is sent now."""
        if isinstance(event, Bound):
            self._bound(event)
            return
        metrics, is_partial = self._metrics, isinstance(event, Partial)
        latency_s = metrics.partial_latency_s if is_partial else metrics.sentence_latency_s
        late_s = self._heard.since_s(event.heard_ms)
        latency_s.observe(late_s)
        name = "partial text" if is_partial else "sentence"
        tracing.record(name, late_s, {"asr.heard_ms": event.heard_ms, "asr.stretch": event.index})
        begun_s = self._begun_s.pop(event.index, None)
        if not isinstance(event, Partial):
            return
        if begun_s is not None:
            metrics.first_partial_latency_s.observe(time.monotonic() - begun_s)
        if event.end_ms is not None:
            metrics.word_latency_s.observe(self._words.since_s(event.end_ms))

    def _bound(self, bound: Bound) -> None:
        if bound.kind == "began":
            self._begun_s[bound.index] = time.monotonic() - self._begins.since_s(bound.at_ms)
        elif bound.kind == "reported":
            self._begun_s.pop(bound.index, None)
            for arrivals in (self._heard, self._begins, self._words):
                arrivals.since_s(bound.at_ms)  # nobody asks for what lies before it any more
