"""Spans of OpenTelemetry, in a program that records traces; in others nothing, for a look-up.

A program records once it has set up `opentelemetry-sdk`; before somebody has imported that, there
is nothing to do here. Requests to Triton then carry the W3C's headers, so that its own spans join,
and the id of their span as their request id, by which the spans of one request on a stream are
found: a stream has the headers of its beginning only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_SDK = "opentelemetry.sdk.trace"
_NAME = "triton-asr"
_NOTHING: AbstractContextManager[None] = nullcontext()

CLIENT, SERVER, INTERNAL = "CLIENT", "SERVER", "INTERNAL"
"""Kinds of spans: a request that is sent, one that is served, anything else."""


def recording() -> bool:
    """Return whether this program may record spans."""
    return _SDK in sys.modules


def span(
    name: str, attributes: Mapping[str, Any] | None = None, kind: str = INTERNAL
) -> AbstractContextManager[Span | None]:
    """Return a span of the current trace for a `with`; it fails with what leaves that."""
    if not recording():
        return _NOTHING
    from opentelemetry import trace

    begun: AbstractContextManager[Span] = trace.get_tracer(_NAME).start_as_current_span(
        name, kind=trace.SpanKind[kind], attributes=attributes
    )
    return begun


def begin(name: str, attributes: Mapping[str, Any] | None = None) -> Span | None:
    """Return a span of requests that has begun, for `end`; it does not become the current one."""
    if not recording():
        return None
    from opentelemetry import trace

    tracer = trace.get_tracer(_NAME)
    return tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)


def record(name: str, duration_s: float, attributes: Mapping[str, Any]) -> None:
    """Add a span of the current trace that ends now."""
    if not recording():
        return
    from opentelemetry import trace

    begun_ns = time.time_ns() - int(1e9 * duration_s)
    trace.get_tracer(_NAME).start_span(name, start_time=begun_ns, attributes=attributes).end()


def mark_failed(span: Span) -> None:
    """Say that what a span is of has failed, where no exception does."""
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR)


def headers(of: Span | None = None) -> dict[str, str]:
    """Return what joins Triton's spans to a span, by default the current one; often nothing.

    Triton records all that it is told to join, so it is not told of what is not recorded here.
    """
    if not recording():
        return {}
    from opentelemetry import propagate, trace

    sender = trace.get_current_span() if of is None else of
    carrier: dict[str, str] = {}
    if sender.get_span_context().trace_flags.sampled:
        propagate.inject(carrier, trace.set_span_in_context(sender))
    return carrier


def request_id() -> str:
    """Return the current span's name for Triton, TRACE-SPAN in hexadecimal; "" without one."""
    if not recording():
        return ""
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}-{context.span_id:016x}" if context.trace_flags.sampled else ""
