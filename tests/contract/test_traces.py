"""When OpenTelemetry's variables ask for traces, and which headers join one."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from asr_contract import joinable, recorded, traces_endpoint

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otel/"}, "https://c/otel/v1/traces"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/x",
            },
            "http://t:1/x",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "TRUE"}, None),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "http://localhost:4318/v1/traces",
        ),
    ],
)
def test_who_asks_for_traces(environment, endpoint):
    assert traces_endpoint(environment) == endpoint


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: expected otlp or none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
            },
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: expected http/protobuf",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "expected http:// or https://"),
    ],
)
def test_what_there_is_not_is_said(environment, message):
    with pytest.raises(ValueError, match=message):
        traces_endpoint(environment)


@pytest.mark.parametrize(
    "parent",
    [
        PARENT,
        PARENT.replace("-01", "-00"),
        PARENT.upper(),
        "",
        "00",
        PARENT + "-more",
        PARENT + "\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
    ],
)
def test_what_joins_is_what_opentelemetry_reads(parent):
    """But for spaces around it, and for what a later version may add behind."""
    read = TraceContextTextMapPropagator().extract({"traceparent": parent.rstrip("\n")})
    is_valid = trace.get_current_span(read).get_span_context().is_valid
    joined = joinable({"traceparent": parent, "tracestate": "vendor=1"})
    assert bool(joined) <= is_valid
    if parent in (PARENT, PARENT.replace("-01", "-00")):
        assert joined == {"traceparent": parent, "tracestate": "vendor=1"}


@pytest.mark.parametrize(
    ("flags", "is_recorded"), [("00", False), ("01", True), ("02", False), ("03", True)]
)
def test_what_its_sender_does_not_record_is_left_out(flags, is_recorded):
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-{flags}", "tracestate": "vendor=1"}
    assert recorded(headers) == (headers if is_recorded else {})


def test_nothing_is_recorded_of_what_joins_nothing():
    assert recorded({}) == recorded({"traceparent": "00"}) == {}


def test_a_state_alone_or_a_broken_one_is_left_out():
    assert joinable({"tracestate": "vendor=1"}) == {}
    assert joinable({"traceparent": PARENT, "tracestate": "a\r\nb"}) == {"traceparent": PARENT}
    assert joinable({"traceparent": PARENT, "tracestate": "x" * 513}) == {"traceparent": PARENT}
