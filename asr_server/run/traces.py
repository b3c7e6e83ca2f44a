"""Triton's own spans, where the environment asks for traces: OpenTelemetry, by OTLP over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from asr_contract import traces_endpoint

_SERVICE = "triton-asr-server"


def trace_arguments(environment: Mapping[str, str]) -> list[str]:
    """Return the words of Triton's command line that have it record; none where nobody asks.

    It records the requests whose headers join a trace, and no others: who samples is whoever
    begins a trace. Headers for the collector and more of the resource it takes from the
    environment, as the gateway does.

    Raises:
        ValueError: a variable asks for something that is not supported.
    """
    endpoint = traces_endpoint(environment)
    if endpoint is None:
        return []
    named = environment.get("OTEL_SERVICE_NAME") or _SERVICE
    settings = (
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        "rate=1",
        "count=0",  # of requests that join none
        f"opentelemetry,url={endpoint}",
        f"opentelemetry,resource=service.name={named}",
    )
    return [f"--trace-config={setting}" for setting in settings]
