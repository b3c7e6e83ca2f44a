"""The HTTP transport for threads: the asynchronous one, run by a thread of its own.

tritonclient's synchronous HTTP client rests on gevent: it must stay on one thread, its timeouts
are per socket operation (a server that sends a byte now and then is waited for forever), and it
repeats a request on a fresh connection by itself. The asynchronous one has none of these, so
this transport runs it on a private event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from ..blocking.background import Background
from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo
from .endpoint import Endpoint
from .transport_aio import AsyncHttpTransport


class HttpTransport:
    """`transport.Transport` over HTTP."""

    def __init__(self, endpoint: Endpoint, ca_file: str | None = None) -> None:
        self._inner = AsyncHttpTransport(endpoint, ca_file)
        self._background = Background(endpoint.url, self._inner, "asr-client-http")
        self._call = self._background.call

    def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        return self._call(self._inner.infer(request, timeout_s), timeout_s)

    def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        return self._call(self._inner.server_ready(timeout_s), timeout_s)

    def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        return self._call(self._inner.model_ready(name, timeout_s), timeout_s)

    def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        return self._call(self._inner.model_metadata(name, timeout_s), timeout_s)

    def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        return self._call(self._inner.ready_models(timeout_s), timeout_s)

    def background(self) -> Background:
        """Return the event loop, in a thread, that streaming sessions run on."""
        return self._background

    def close(self) -> None:
        """Close the connections and end the thread; calls under way end with `ClientClosed`."""
        self._background.close()
