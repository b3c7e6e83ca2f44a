"""The HTTP transport: a connection for each request that is under way."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import tritonclient.http.aio as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from .. import tracing
from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo
from .calls import Calls
from .endpoint import Endpoint
from .failures import translated
from .interface import RequestStream, request_arguments, traced_request

Infer = Callable[[InferRequest, float], Awaitable[Mapping[str, NDArray[Any]]]]


class HttpRequestStream:
    """`RequestStream` over HTTP: connections may overtake each other, so one request at a time."""

    max_in_flight = 1

    def __init__(self, infer: Infer) -> None:
        self._infer = infer

    async def exchange(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name, within `timeout_s`."""
        return await self._infer(request, timeout_s)

    async def close(self) -> None:
        """Nothing is held between requests."""


class HttpTransport:
    """`interface.Transport` over HTTP.

    It connects at the first call: aiohttp binds to the event loop that runs then, and a client
    may well be made before any loop runs.

    tritonclient gives its HTTP client one timeout for its whole life; ours is per call, so it
    is applied here, around each call. Cancelling closes the connection, and Triton notices.
    (tritonclient's other HTTP client rests on gevent: its timeouts are per socket operation, so a
    server that sends a byte now and then is waited for forever, and it repeats requests itself.)
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ca_file: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._headers = dict(headers or {})  # of every call
        if endpoint.authority:
            self._headers["host"] = endpoint.authority
        self._url = endpoint.url
        self._opened: triton.InferenceServerClient | None = None
        self._calls = Calls(self._url)
        with translated(self._url, "TLS", 0):
            # True: aiohttp's own context with the system's certificates.
            self._tls: ssl.SSLContext | bool = (
                ssl.create_default_context(cafile=ca_file) if ca_file else True
            )

    def _client(self) -> triton.InferenceServerClient:
        self._calls.check_open()
        if self._opened is None:
            self._opened = triton.InferenceServerClient(
                self._endpoint.address + self._endpoint.base_path,
                conn_limit=0,  # no limit: how many requests run at once is the caller's choice
                conn_timeout=None,
                ssl=self._endpoint.uses_tls,
                ssl_context=self._tls,
            )
        return self._opened

    async def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        with (
            translated(self._url, f"model {request.model_name!r}", timeout_s),
            traced_request(request, self._url),
        ):
            inputs = []
            for name, array in request.inputs.items():
                dtype = np_to_triton_dtype(array.dtype)
                tensor = triton.InferInput(name, list(array.shape), dtype)
                tensor.set_data_from_numpy(array, binary_data=True)
                inputs.append(tensor)
            # Without a list of outputs Triton sends all it has, and all of them binary.
            headers = {**self._headers, **tracing.headers()}
            rest = request_arguments(request, timeout_s)
            call = self._client().infer(request.model_name, inputs, headers=headers, **rest)
            result = await self._calls.run(call, timeout_s)
            names = [output["name"] for output in result.get_response()["outputs"]]
            return {name: result.as_numpy(name) for name in names}

    def open_stream(self) -> RequestStream:
        """Return a way for the requests of one sequence."""
        return HttpRequestStream(self.infer)

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        with translated(self._url, "", timeout_s):
            client = self._client()
            if await self._calls.run(client.is_server_ready(headers=self._headers), timeout_s):
                return True
            try:  # it may be none, as a gateway, whose port was named
                call = client.get_server_metadata(headers=self._headers)
                await self._calls.run(call, timeout_s)
            except InferenceServerException as error:
                if error.status() == "404":
                    raise
            return False

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        with translated(self._url, f"model {name!r}", timeout_s):
            return bool(
                await self._calls.run(
                    self._client().is_model_ready(name, headers=self._headers), timeout_s
                )
            )

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        with translated(self._url, f"model {name!r}", timeout_s):
            answer = await self._calls.run(
                self._client().get_model_metadata(name, headers=self._headers), timeout_s
            )
            return ModelMetadata(
                frozenset(tensor["name"] for tensor in answer["inputs"]),
                frozenset(tensor["name"] for tensor in answer["outputs"]),
            )

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        with translated(self._url, "list of models", timeout_s):
            call = self._client().get_inference_statistics(headers=self._headers)
            answer = await self._calls.run(call, timeout_s)
            return [
                ModelInfo(model["name"], model.get("version", ""))
                for model in answer["model_stats"]
            ]

    async def queue_ns(self, timeout_s: float) -> int:
        """Return how long all requests so far have waited in queues, in nanoseconds."""
        with translated(self._url, "statistics", timeout_s):
            call = self._client().get_inference_statistics(headers=self._headers)
            answer = await self._calls.run(call, timeout_s)
            models = answer["model_stats"]
            return sum(int(model["inference_stats"]["queue"]["ns"]) for model in models)

    async def close(self) -> None:
        """Close the connections; calls under way end with `ClientClosed`."""
        self._calls.close()
        if self._opened is not None:
            await self._opened.close()
