"""What a client asks of a transport, whichever protocol carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo

if TYPE_CHECKING:
    from ..blocking.background import Background
    from .request_stream import RequestStream


def sequence_arguments(request: InferRequest) -> dict[str, Any]:
    """Return the keyword arguments that say a request's sequence and parameters to tritonclient."""
    arguments: dict[str, Any] = {}
    if request.step is not None:
        arguments |= {
            "sequence_id": request.step.sequence_id,
            "sequence_start": request.step.start,
            "sequence_end": request.step.end,
        }
    if request.parameters:
        arguments["parameters"] = dict(request.parameters)
    return arguments


class Transport(Protocol):
    """Carries requests to one server; may be used from several threads at once.

    Every call ends within `timeout_s` seconds (the whole exchange: connection, upload, work,
    answer) and raises only exceptions of `errors`.
    """

    def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""

    def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""

    def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""

    def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""

    def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""

    def background(self) -> Background:
        """Return the event loop, in a thread, that streaming sessions run on."""

    def close(self) -> None:
        """Close the connection; calls under way end with `ClientClosed`."""


class AsyncTransport(Protocol):
    """The same for asyncio; each instance belongs to one event loop."""

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

    def open_stream(self) -> RequestStream:
        """Return a way for the requests of one sequence."""

    async def close(self) -> None:
        """Close the connection."""
