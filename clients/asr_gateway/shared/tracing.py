"""OpenTelemetry traces of the gateway, where the environment asks for them.

What is recorded is told to `asr_client.tracing`, in sessions and requests as in the SDK below them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from asr_client import tracing
from asr_contract import joinable, traces_endpoint

from .settings import SettingsError

_SERVICE, _UNNAMED = "triton-asr-gateway", "unknown_service"
HTTP_STATUS = "http.response.status_code"
_FAULT = 500  # from here on a status says that it is the gateway's
_LAST_S = 3.0  # for the last spans, should the collector be away
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def start_tracing() -> Callable[[], None]:
    """Record traces from now on if that is asked for; returns what sends the last of them.

    Raises:
        SettingsError: it is asked for and cannot be done.
    """
    try:
        endpoint = traces_endpoint(os.environ)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if endpoint is None:
        return lambda: None
    if not all(map(_is_there, _NEEDED)):
        raise SettingsError(
            "traces are asked for by the environment (OTEL_*) and need "
            'pip install "triton-asr[traces]"; OTEL_TRACES_EXPORTER=none does without'
        )
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()  # of the environment
    if str(resource.attributes[SERVICE_NAME]).startswith(_UNNAMED):
        resource = resource.merge(Resource({SERVICE_NAME: _SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)

    def end() -> None:
        sending = threading.Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(_LAST_S)

    return end


@contextmanager
def joined(headers: Mapping[str, str]) -> Iterator[None]:
    """Let what is done meanwhile belong to the caller's trace, if its headers name one."""
    joining = joinable(headers)
    if not joining or not tracing.recording():
        yield
        return
    from opentelemetry import context, propagate

    token = context.attach(propagate.extract(joining))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def served(name: str, attributes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Record what is served meanwhile as a span of the current trace, or of a new one.

    It fails with what leaves the `with`, and by the status of an answer that says so.

    Yields:
        further attributes, to be filled in.
    """
    more: dict[str, Any] = {}
    with tracing.span(name, attributes, tracing.SERVER) as span:
        try:
            yield more
        finally:
            if span is not None:
                span.set_attributes(more)
                if more.get(HTTP_STATUS, 0) >= _FAULT:
                    tracing.mark_failed(span)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of what it is in
        return False
