"""The asynchronous transports, gRPC and HTTP.

Both connect at the first call, because grpc.aio and aiohttp bind to the event loop that runs
when they are made, and an `AsyncClient` may well be made before any loop runs.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import tritonclient.grpc.aio as triton_grpc
import tritonclient.http.aio as triton_http
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo
from .calls import Calls
from .endpoint import Endpoint
from .failures import translated
from .grpc import (
    connection_arguments,
    grpc_arguments,
    grpc_metadata,
    grpc_outputs,
    grpc_ready_models,
)
from .interface import sequence_arguments
from .request_stream import GrpcRequestStream, HttpRequestStream, RequestStream

# gRPC applies the deadline itself; this much later its report is no longer waited for.
_REPORT_S = 2.0


class AsyncGrpcTransport:
    """`transport.AsyncTransport` over gRPC."""

    def __init__(self, endpoint: Endpoint, ca_file: str | None = None) -> None:
        self._endpoint = endpoint
        self._ca_file = ca_file
        self._url = endpoint.url
        self._opened: triton_grpc.InferenceServerClient | None = None
        self._calls = Calls(self._url)

    def _client(self) -> triton_grpc.InferenceServerClient:
        self._calls.check_open()
        if self._opened is None:
            self._opened = triton_grpc.InferenceServerClient(
                **connection_arguments(self._endpoint, self._ca_file)
            )
        return self._opened

    async def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        with translated(self._url, f"model {request.model_name!r}", timeout_s):
            call = self._client().infer(**grpc_arguments(request), client_timeout=timeout_s)
            return grpc_outputs(await self._calls.run(call, timeout_s + _REPORT_S))

    def open_stream(self) -> RequestStream:
        """Return a way for the requests of one sequence."""
        with translated(self._url, "stream", 0):
            return GrpcRequestStream(self._client(), self._url, self._calls)

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        with translated(self._url, "readiness", timeout_s):
            call = self._client().is_server_ready(client_timeout=timeout_s)
            return bool(await self._calls.run(call, timeout_s + _REPORT_S))

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        with translated(self._url, f"readiness of {name!r}", timeout_s):
            call = self._client().is_model_ready(name, client_timeout=timeout_s)
            return bool(await self._calls.run(call, timeout_s + _REPORT_S))

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        with translated(self._url, f"model {name!r}", timeout_s):
            call = self._client().get_model_metadata(name, client_timeout=timeout_s)
            return grpc_metadata(await self._calls.run(call, timeout_s + _REPORT_S))

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        with translated(self._url, "list of models", timeout_s):
            call = self._client().get_model_repository_index(client_timeout=timeout_s)
            return grpc_ready_models(await self._calls.run(call, timeout_s + _REPORT_S))

    async def close(self) -> None:
        """Close the channel; calls under way end with `ClientClosed`."""
        self._calls.close()
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
        self._calls = Calls(self._url)
        with translated(self._url, "TLS", 0):
            # True: aiohttp's own context with the system's certificates.
            self._tls: ssl.SSLContext | bool = (
                ssl.create_default_context(cafile=ca_file) if ca_file else True
            )

    def _client(self) -> triton_http.InferenceServerClient:
        self._calls.check_open()
        if self._opened is None:
            self._opened = triton_http.InferenceServerClient(
                self._endpoint.address + self._endpoint.base_path,
                conn_limit=0,  # no limit: how many requests run at once is the caller's choice
                conn_timeout=None,
                ssl=self._endpoint.uses_tls,
                ssl_context=self._tls,
            )
        return self._opened

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
            call = self._client().infer(request.model_name, inputs, **sequence_arguments(request))
            result = await self._calls.run(call, timeout_s)
            names = [output["name"] for output in result.get_response()["outputs"]]
            return {name: result.as_numpy(name) for name in names}

    def open_stream(self) -> RequestStream:
        """Return a way for the requests of one sequence."""
        return HttpRequestStream(self.infer)

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        with translated(self._url, "readiness", timeout_s):
            return bool(await self._calls.run(self._client().is_server_ready(), timeout_s))

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        with translated(self._url, f"readiness of {name!r}", timeout_s):
            return bool(await self._calls.run(self._client().is_model_ready(name), timeout_s))

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        with translated(self._url, f"model {name!r}", timeout_s):
            answer = await self._calls.run(self._client().get_model_metadata(name), timeout_s)
            return ModelMetadata(
                frozenset(tensor["name"] for tensor in answer["inputs"]),
                frozenset(tensor["name"] for tensor in answer["outputs"]),
            )

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        with translated(self._url, "list of models", timeout_s):
            index = await self._calls.run(self._client().get_model_repository_index(), timeout_s)
            return [
                ModelInfo(model["name"], model.get("version", ""))
                for model in index
                if model.get("state") == "READY"
            ]

    async def close(self) -> None:
        """Close the connections; calls under way end with `ClientClosed`."""
        self._calls.close()
        if self._opened is not None:
            await self._opened.close()
