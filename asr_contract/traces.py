"""OpenTelemetry traces: whether the environment asks for them, and what joins one from outside.

The names of the variables and of the headers are OpenTelemetry's and the W3C's, so that gateway
and Triton are told like any other program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"

_DEFAULT_ENDPOINT = "http://localhost:4318"
_PATH = "/v1/traces"
_PROTOCOL = "http/protobuf"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = 1  # of the flags
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")


def traces_endpoint(environment: Mapping[str, str]) -> str | None:
    """Return the URL to which spans go by OTLP over HTTP; None where nobody asks for traces.

    They are asked for by an endpoint (`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or
    `OTEL_EXPORTER_OTLP_ENDPOINT`, to which the path is added), or by `OTEL_TRACES_EXPORTER=otlp`.

    Raises:
        ValueError: a variable asks for something that is not supported.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter == "none":
        return None
    endpoint = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    if not endpoint:
        base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
        if not base and not exporter:
            return None
        endpoint = (base or _DEFAULT_ENDPOINT).rstrip("/") + _PATH
    _check(exporter, environment, endpoint)
    return endpoint


def _check(exporter: str, environment: Mapping[str, str], endpoint: str) -> None:
    """Raise ValueError for what is not supported."""
    if exporter not in ("", "otlp"):
        raise ValueError(f"OTEL_TRACES_EXPORTER: expected otlp or none; got {exporter}")
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if protocol := environment.get(name, "").strip():
            if protocol != _PROTOCOL:
                raise ValueError(
                    f"{name}: expected {_PROTOCOL}, which collectors take on port 4318; "
                    f"got {protocol}"
                )
            break
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"OpenTelemetry's endpoint: expected http:// or https://; got {endpoint}")


def recorded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those of `joinable` if the trace they name is recorded, otherwise nothing.

    It is what Triton is told: it records what it is told to join, whatever the flags there say.
    """
    joining = joinable(headers)
    return joining if int(joining.get(TRACEPARENT, "0")[-2:], 16) & _SAMPLED else {}


def joinable(headers: Mapping[str, str]) -> dict[str, str]:
    """Return, of a request's headers by name in lower case, those that join a trace.

    What is not of the W3C's form is left out: then the request is no part of a trace.
    """
    parent = headers.get(TRACEPARENT, "")
    if not _TRACEPARENT.fullmatch(parent) or parent.startswith("ff"):
        return {}
    state = headers.get(TRACESTATE, "")
    return {TRACEPARENT: parent, **({TRACESTATE: state} if _TRACESTATE.fullmatch(state) else {})}
