"""A collector of OpenTelemetry spans, for the tests: OTLP over HTTP, protobuf and JSON."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_IDS = ("traceId", "spanId", "parentSpanId")
_ARRIVE_S = 60
_SOON_S, _TRIES = 3, 10
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "500"}
"""For whoever sends: every half second, not every five."""


@dataclass(frozen=True)
class CollectedSpan:
    """A span as it came; ids in hexadecimal, "" for no parent."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    attributes: dict[str, Any]
    begun_ns: int
    ended_ns: int
    failed: bool


class Collector:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.spans: list[CollectedSpan] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                collector.take(body, self.headers["Content-Type"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes, kind: str) -> None:
        if kind == "application/json":
            message = ParseDict(with_binary_ids(json.loads(body)), ExportTraceServiceRequest())
        else:
            message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            service = values(resource.resource.attributes)["service.name"]
            for scope in resource.scope_spans:
                self.spans += [collected(service, span) for span in scope.spans]

    def of_trace(self, trace_id: str) -> list[CollectedSpan]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def wait_for(
        self,
        trace_id: str,
        complete: Callable[[list[CollectedSpan]], bool],
        arrive_s: float = _ARRIVE_S,
    ) -> list[CollectedSpan]:
        """The spans of a trace, once they are complete."""
        deadline = time.monotonic() + arrive_s
        while not complete(spans := self.of_trace(trace_id)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"of trace {trace_id} came {[span.name for span in spans]}")
            time.sleep(0.05)
        return spans

    def of_grpc(
        self, send: Callable[[], str], complete: Callable[[list[CollectedSpan]], bool]
    ) -> list[CollectedSpan]:
        """The spans of the first trace that Triton records all of; `send` begins one.

        It misses some of what comes over gRPC, by a fault of its own (docs/tracing.md).
        """
        for _ in range(_TRIES - 1):
            with contextlib.suppress(TimeoutError):
                return self.wait_for(send(), complete, _SOON_S)
        return self.wait_for(send(), complete)

    def wait_for_one(self, wanted: Callable[[CollectedSpan], bool]) -> CollectedSpan:
        """The first span that is wanted, once it is there."""
        deadline = time.monotonic() + _ARRIVE_S
        while not (found := [span for span in list(self.spans) if wanted(span)]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"it is none of {len(self.spans)} spans")
            time.sleep(0.05)
        return found[0]


def collected(service: str, span: Any) -> CollectedSpan:
    return CollectedSpan(
        service,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        values(span.attributes),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
    )


def values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def with_binary_ids(value: Any) -> Any:
    """OTLP writes ids in hexadecimal, where JSON of protobuf has base64."""
    if isinstance(value, list):
        return [with_binary_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(each)) if key in _IDS else with_binary_ids(each)
        for key, each in value.items()
    }


@contextmanager
def running_collector() -> Iterator[Collector]:
    collector = Collector()
    try:
        yield collector
    finally:
        collector.close()
