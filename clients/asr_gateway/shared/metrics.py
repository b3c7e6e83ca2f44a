"""What the gateway counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
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
            "asr_gateway_triton_up",
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
        prefix = "asr_gateway_"
        self.sessions = Gauge(
            prefix + "open_sessions", "Websockets and transcriptions under way", registry=registry
        )
        self.max_sessions = Gauge(
            prefix + "max_sessions", "How many may be under way (--max-sessions)", registry=registry
        )
        self.draining = Gauge(
            prefix + "draining",
            "1 while the gateway stops, taking nothing",
            registry=registry,
        )
        self._inboxes: set[Waiting] = set()
        self._waiting_s = Gauge(
            prefix + "waiting_audio_seconds",
            "Live audio that has come and that no model was given yet, of all sessions",
            registry=registry,
        )
        self._waiting_s.set_function(lambda: sum(each.waiting_s for each in tuple(self._inboxes)))
        late_s = Gauge(
            prefix + "late_audio_seconds",
            "How long live audio waits for the models, the median of the sessions",
            registry=registry,
        )
        late_s.set_function(self.late_s)
        self.utterances = Counter(
            prefix + "utterances",
            "Utterances and files",
            ["mode", "outcome"],  # outcome: ok, error, left (by the client)
            registry=registry,
        )
        self.audio_s = Counter(
            prefix + "audio_seconds", "Audio recognised, in seconds", ["mode"], registry=registry
        )
        self.refused = Counter(
            prefix + "refused", "Sessions and requests not taken", ["reason"], registry=registry
        )
        self.errors = Counter(
            prefix + "errors",
            "Utterances and files that failed",
            ["door", "kind"],  # kind: what `failures.failure_kind` says
            registry=registry,
        )
        self.real_time_factor = Histogram(
            prefix + "real_time_factor",
            "Time that a recording took, once all of it was there, divided by its length",
            ["mode"],
            buckets=_FACTORS,
            registry=registry,
        )
        self.first_partial_latency_s = Histogram(
            prefix + "first_partial_latency_seconds",
            "From the arrival of the audio in which a stretch of speech begins to its first text",
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self.word_latency_s = Histogram(
            prefix + "word_latency_seconds",
            "From the arrival of the audio in which the newest word of a partial text ends to its "
            "sending",
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self.partial_latency_s = Histogram(
            prefix + "partial_latency_seconds",
            "From the arrival of the last audio that a partial text needs to its sending",
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self.sentence_latency_s = Histogram(
            prefix + "sentence_latency_seconds",
            "From the arrival of the audio in which the VAD saw a sentence end to its sending",
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self.requests = Counter(
            prefix + "http_requests", "HTTP requests", ["route", "status"], registry=registry
        )
        self.request_duration_s = Histogram(
            prefix + "http_request_duration_seconds",
            "From an HTTP request's headers to the end of its answer",
            ["route"],
            buckets=_DURATIONS_S,
            registry=registry,
        )
        Info(prefix + "build", "What runs", registry=registry).info({"version": _version()})
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


def _version() -> str:
    try:
        return version("triton-asr")
    except PackageNotFoundError:  # run from a checkout's folder
        return "unknown"
