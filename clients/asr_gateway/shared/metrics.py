"""What the gateway counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from asr_contract.installed import installed_version

_NAMESPACE = "asr_gateway"
_LATENCIES_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
_DURATIONS_S = (0.05, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)
_FACTORS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Waiting(Protocol):
    """What audio waits in."""

    @property
    def waiting_s(self) -> float:
        """How much waits, in seconds."""

    @property
    def late_s(self) -> float:
        """How long it waits, in seconds."""


class _Tritons(Collector):
    """Which of the Tritons are given work, as it is when somebody asks."""

    def __init__(self, used: Callable[[], Mapping[str, bool]]) -> None:
        self._used = used

    def collect(self) -> Iterator[Metric]:
        """Give a sample for each."""
        gauge = GaugeMetricFamily(
            f"{_NAMESPACE}_triton_up",
            "Whether a Triton is given work; 0 of one that is left out",
            labels=["server"],
        )
        for url, is_used in self._used().items():
            gauge.add_metric([url], float(is_used))
        yield gauge


class Metrics:
    """The metrics of one gateway, each described where it is made, and in docs/metrics.md."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        gauge = partial(Gauge, namespace=_NAMESPACE, registry=registry)
        counter = partial(Counter, namespace=_NAMESPACE, registry=registry)
        histogram = partial(Histogram, namespace=_NAMESPACE, registry=registry)
        self.sessions = gauge("open_sessions", "Websockets and transcriptions under way")
        self.max_sessions = gauge("max_sessions", "How many may be under way (--max-sessions)")
        self.draining = gauge("draining", "1 while the gateway stops, taking nothing")
        self._inboxes: set[Waiting] = set()
        self._waiting_s = gauge(
            "waiting_audio_seconds",
            "Live audio that has come and that no model was given yet, of all sessions",
        )
        self._waiting_s.set_function(lambda: sum(each.waiting_s for each in tuple(self._inboxes)))
        late_s = gauge(
            "late_audio_seconds",
            "How long live audio waits for the models, the median of the sessions",
        )
        late_s.set_function(self.late_s)
        self.utterances = counter(
            "utterances",
            "Utterances and files",
            ["mode", "outcome"],  # outcome: ok, error, left (by the client)
        )
        self.audio_s = counter("audio_seconds", "Audio recognised, in seconds", ["mode"])
        self.refused = counter("refused", "Sessions and requests not taken", ["reason"])
        self.errors = counter(
            "errors",
            "Utterances and files that failed",
            ["door", "kind"],  # kind: what `failures.failure_kind` says
        )
        self.real_time_factor = histogram(
            "real_time_factor",
            "Time that a recording took, once all of it was there, divided by its length",
            ["mode"],
            buckets=_FACTORS,
        )
        self.first_partial_latency_s = histogram(
            "first_partial_latency_seconds",
            "From the arrival of the audio in which a stretch of speech begins to its first text",
            buckets=_LATENCIES_S,
        )
        self.word_latency_s = histogram(
            "word_latency_seconds",
            "From the arrival of the audio in which the newest word of a partial text ends to its "
            "sending",
            buckets=_LATENCIES_S,
        )
        self.partial_latency_s = histogram(
            "partial_latency_seconds",
            "From the arrival of the last audio that a partial text needs to its sending",
            buckets=_LATENCIES_S,
        )
        self.sentence_latency_s = histogram(
            "sentence_latency_seconds",
            "From the arrival of the audio in which the VAD saw a sentence end to its sending",
            buckets=_LATENCIES_S,
        )
        self.requests = counter("http_requests", "HTTP requests", ["route", "status"])
        self.request_duration_s = histogram(
            "http_request_duration_seconds",
            "From an HTTP request's headers to the end of its answer",
            ["route"],
            buckets=_DURATIONS_S,
        )
        build = Info("build", "What runs", namespace=_NAMESPACE, registry=registry)
        build.info({"version": installed_version()})
        ProcessCollector(registry=registry)

    @contextmanager
    def counting(self, inbox: Waiting) -> Iterator[None]:
        """Count what waits in an inbox, meanwhile."""
        self._inboxes.add(inbox)
        try:
            yield
        finally:
            self._inboxes.discard(inbox)

    def watch_tritons(self, used: Callable[[], Mapping[str, bool]]) -> None:
        """Show which Tritons are given work.

        Args:
            used: says so, by URL.
        """
        self._registry.register(_Tritons(used))

    def late_s(self) -> float:
        """Return how long live audio waits for the models, the median of the sessions."""
        return median(each.late_s for each in self._inboxes) if self._inboxes else 0.0

    def page(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)
