"""What a client asks of a transport, whichever protocol carries it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from numpy.typing import NDArray

from .. import tracing
from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo

_LONGEST_S = 3600  # that anything waits in a queue of the server


class RequestStream(Protocol):
    """Carries the requests of one sequence in the order in which `exchange` is called.

    `max_in_flight` is how many may be on the way without being answered.
    """

    max_in_flight: int

    async def exchange(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name, within `timeout_s`."""

    async def close(self) -> None:
        """Give up what is on the way."""


class Transport(Protocol):
    """Carries requests to one server, or to several as one.

    It belongs to the event loop that runs at the first call.

    Every call ends within `timeout_s` seconds (the whole exchange: connection, upload, work,
    answer) and raises only exceptions of `errors`.
    """

    async def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""

    async def queue_ns(self, timeout_s: float) -> int:
        """Return how long all requests so far have waited in queues, in nanoseconds."""

    def open_stream(self) -> RequestStream:
        """Return a way for the requests of one sequence."""

    async def close(self) -> None:
        """Close the connection; calls under way end with `ClientClosed`."""


def request_arguments(request: InferRequest, timeout_s: float) -> dict[str, Any]:
    """Return what tritonclient is told of a request by keyword arguments, but for its inputs.

    Args:
        request: a request.
        timeout_s: nobody waits for longer; the server drops what still waits in a queue then.
    """
    arguments: dict[str, Any] = {"timeout": max(int(1e6 * min(timeout_s, _LONGEST_S)), 1)}
    if request.step is not None:
        arguments |= {
            "sequence_id": request.step.sequence_id,
            "sequence_start": request.step.start,
            "sequence_end": request.step.end,
        }
    if request.parameters:
        arguments["parameters"] = dict(request.parameters)
    if request_id := tracing.request_id():
        arguments["request_id"] = request_id
    return arguments


def traced_request(request: InferRequest, url: str) -> AbstractContextManager[Any]:
    """Return the span of a request, for a `with` around all that it takes."""
    attributes: dict[str, Any] = {"asr.model": request.model_name, "server.address": url}
    if request.step is not None:
        attributes["asr.sequence_id"] = str(request.step.sequence_id)  # beyond 2^53 for some
    return tracing.span(f"infer {request.model_name}", attributes, tracing.CLIENT)
