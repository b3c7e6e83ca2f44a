"""The asynchronous transports, gRPC and HTTP.

Both connect at the first call, because grpc.aio and aiohttp bind to the event loop that runs
when they are made, and an `AsyncClient` may well be made before any loop runs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import tritonclient.grpc.aio as triton_grpc
import tritonclient.http.aio as triton_http
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from .endpoint import Endpoint
from .errors import ClientClosed
from .failures import translated
from .protocol import InferRequest, ModelMetadata
from .results import ModelInfo
from .transport_grpc import (
    connection_arguments,
    grpc_inputs,
    grpc_metadata,
    grpc_outputs,
    grpc_ready_models,
)

T = TypeVar("T")


class AsyncGrpcTransport:
    """`transport.AsyncTransport` over gRPC."""

    def __init__(self, endpoint: Endpoint, ca_file: str | None = None) -> None:
        self._endpoint = endpoint
        self._ca_file = ca_file
        self._url = endpoint.url
        self._opened: triton_grpc.InferenceServerClient | None = None
        self._closed = False

    def _client(self) -> triton_grpc.InferenceServerClient:
        if self._closed:
            raise ClientClosed(f"{self._url}: the client is closed")
        if self._opened is None:
            self._opened = triton_grpc.InferenceServerClient(
                **connection_arguments(self._endpoint, self._ca_file)
            )
        return self._opened

    async def _open(self, call: Awaitable[T]) -> T:
        """Await a call of tritonclient; say so if it ends because the channel was closed."""
        try:
            return await call
        except asyncio.CancelledError:
            # grpc.aio reports a closed channel as the cancellation of our own task.
            if self._closed:
                raise ClientClosed(f"{self._url}: the client was closed during the call") from None
            raise

    async def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        with translated(self._url, f"model {request.model_name!r}", timeout_s):
            call = self._client().infer(
                request.model_name, grpc_inputs(request), client_timeout=timeout_s
            )
            return grpc_outputs(await self._open(call))

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        with translated(self._url, "readiness", timeout_s):
            call = self._client().is_server_ready(client_timeout=timeout_s)
            return bool(await self._open(call))

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        with translated(self._url, f"readiness of {name!r}", timeout_s):
            call = self._client().is_model_ready(name, client_timeout=timeout_s)
            return bool(await self._open(call))

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        with translated(self._url, f"model {name!r}", timeout_s):
            call = self._client().get_model_metadata(name, client_timeout=timeout_s)
            return grpc_metadata(await self._open(call))

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        with translated(self._url, "list of models", timeout_s):
            call = self._client().get_model_repository_index(client_timeout=timeout_s)
            return grpc_ready_models(await self._open(call))

    async def close(self) -> None:
        """Close the channel; calls under way end with `ClientClosed`."""
        self._closed = True
        if self._opened is not None:
            await self._opened.close()


class AsyncHttpTransport:
    """`transport.AsyncTransport` over HTTP.

    tritonclient gives its HTTP client one timeout for its whole life; ours is per call, so it
    is applied here, around each call. Cancelling closes the connection, and Triton notices.
    """

    def __init__(self, endpoint: Endpoint, ca_file: str | None = None) -> None:
        self._endpoint = endpoint
        self._url = endpoint.url
        self._opened: triton_http.InferenceServerClient | None = None
        self._closed = False
        self._calls: set[asyncio.Task[Any]] = set()
        with translated(self._url, "TLS", 0):
            # True: aiohttp's own context with the system's certificates.
            self._tls: ssl.SSLContext | bool = (
                ssl.create_default_context(cafile=ca_file) if ca_file else True
            )

    def _client(self) -> triton_http.InferenceServerClient:
        if self._closed:
            raise ClientClosed(f"{self._url}: the client is closed")
        if self._opened is None:
            self._opened = triton_http.InferenceServerClient(
                self._endpoint.address + self._endpoint.base_path,
                conn_limit=0,  # no limit: how many requests run at once is the caller's choice
                conn_timeout=None,
                ssl=self._endpoint.uses_tls,
                ssl_context=self._tls,
            )
        return self._opened

    async def _within(self, timeout_s: float, call: Awaitable[T]) -> T:
        """Await a call of tritonclient, but not longer than `timeout_s` seconds."""
        task = asyncio.ensure_future(call)
        self._calls.add(task)
        try:
            return await asyncio.wait_for(task, timeout_s)
        except asyncio.CancelledError:
            if self._closed:
                raise ClientClosed(f"{self._url}: the client was closed during the call") from None
            raise
        finally:
            self._calls.discard(task)

    async def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        with translated(self._url, f"model {request.model_name!r}", timeout_s):
            inputs = []
            for name, array in request.inputs.items():
                dtype = np_to_triton_dtype(array.dtype)
                tensor = triton_http.InferInput(name, list(array.shape), dtype)
                tensor.set_data_from_numpy(array, binary_data=True)
                inputs.append(tensor)
            # Without a list of outputs Triton sends all it has, and all of them binary.
            result = await self._within(timeout_s, self._client().infer(request.model_name, inputs))
            names = [output["name"] for output in result.get_response()["outputs"]]
            return {name: result.as_numpy(name) for name in names}

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        with translated(self._url, "readiness", timeout_s):
            return bool(await self._within(timeout_s, self._client().is_server_ready()))

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        with translated(self._url, f"readiness of {name!r}", timeout_s):
            return bool(await self._within(timeout_s, self._client().is_model_ready(name)))

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        with translated(self._url, f"model {name!r}", timeout_s):
            answer = await self._within(timeout_s, self._client().get_model_metadata(name))
            return ModelMetadata(
                frozenset(tensor["name"] for tensor in answer["inputs"]),
                frozenset(tensor["name"] for tensor in answer["outputs"]),
            )

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        with translated(self._url, "list of models", timeout_s):
            index = await self._within(timeout_s, self._client().get_model_repository_index())
            return [
                ModelInfo(model["name"], model.get("version", ""))
                for model in index
                if model.get("state") == "READY"
            ]

    async def close(self) -> None:
        """Close the connections; calls under way end with `ClientClosed`."""
        self._closed = True
        for task in list(self._calls):
            task.cancel()
        if self._opened is not None:
            await self._opened.close()
