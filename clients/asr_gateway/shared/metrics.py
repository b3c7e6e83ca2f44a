"""What the gateway counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCIES_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
_DURATIONS_S = (0.05, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000)


class Metrics:
    """The metrics of one gateway, each described where it is made."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        prefix = "asr_gateway_"
        self.sessions = Gauge(
            prefix + "open_sessions", "Websockets and transcriptions under way", registry=registry
        )
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

    def page(self) -> bytes:
        """Return all of them in Prometheus' text format."""
        return generate_latest(self._registry)
