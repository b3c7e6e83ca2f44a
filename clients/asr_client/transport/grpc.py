"""The gRPC transport for threads, and what it shares with its asynchronous twin.

tritonclient's gRPC client may be used from several threads at once (all but its bidirectional
streams), so one channel serves them all.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo
from .endpoint import Endpoint
from .failures import translated
from .interface import sequence_arguments

if TYPE_CHECKING:
    from ..blocking.background import Background

_INT32_MAX = 2**31 - 1

CHANNEL_OPTIONS: list[tuple[str, int]] = [
    # gRPC's default of 4 MB is one minute of audio.
    ("grpc.max_send_message_length", _INT32_MAX),
    ("grpc.max_receive_message_length", _INT32_MAX),
    # A peer that vanished without a word is noticed while a call waits. Triton tolerates two
    # pings without data and then hangs up, so not more than two are sent.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
    # A server that comes back is found within two seconds, not after up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Channels of one process would share their back-off: a new client shall try at once.
    ("grpc.use_local_subchannel_pool", 1),
    # As the HTTP transport: straight to the server, proxies of the environment are not used.
    ("grpc.enable_http_proxy", 0),
    # gRPC must not repeat a request behind our back.
    ("grpc.enable_retries", 0),
]


def connection_arguments(endpoint: Endpoint, ca_file: str | None) -> dict[str, Any]:
    """Return the keyword arguments that both of tritonclient's gRPC clients take."""
    return {
        "url": endpoint.address,
        "ssl": endpoint.uses_tls,
        "root_certificates": ca_file,
        "channel_args": CHANNEL_OPTIONS,
    }


def grpc_arguments(request: InferRequest) -> dict[str, Any]:
    """Return the keyword arguments that describe a request to tritonclient's gRPC clients."""
    inputs = []
    for name, array in request.inputs.items():
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    return {"model_name": request.model_name, "inputs": inputs, **sequence_arguments(request)}


def grpc_outputs(result: triton.InferResult) -> dict[str, NDArray[Any]]:
    """Return all outputs of an answer by name."""
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def grpc_metadata(answer: Any) -> ModelMetadata:
    """Return the tensor names of a ModelMetadataResponse."""
    return ModelMetadata(
        frozenset(tensor.name for tensor in answer.inputs),
        frozenset(tensor.name for tensor in answer.outputs),
    )


def grpc_ready_models(answer: Any) -> list[ModelInfo]:
    """Return the ready models of a RepositoryIndexResponse."""
    return [ModelInfo(m.name, m.version) for m in answer.models if m.state == "READY"]


class GrpcTransport:
    """`transport.Transport` over gRPC."""

    def __init__(self, endpoint: Endpoint, ca_file: str | None = None) -> None:
        self._url = endpoint.url
        self._connection = (endpoint, ca_file)
        self._background: Background | None = None
        self._lock = threading.Lock()
        with translated(self._url, "connection", 0):
            self._client = triton.InferenceServerClient(**connection_arguments(endpoint, ca_file))

    def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        with translated(self._url, f"model {request.model_name!r}", timeout_s):
            result = self._client.infer(**grpc_arguments(request), client_timeout=timeout_s)
            return grpc_outputs(result)

    def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        with translated(self._url, "readiness", timeout_s):
            return bool(self._client.is_server_ready(client_timeout=timeout_s))

    def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        with translated(self._url, f"readiness of {name!r}", timeout_s):
            return bool(self._client.is_model_ready(name, client_timeout=timeout_s))

    def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        with translated(self._url, f"model {name!r}", timeout_s):
            return grpc_metadata(self._client.get_model_metadata(name, client_timeout=timeout_s))

    def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        with translated(self._url, "list of models", timeout_s):
            return grpc_ready_models(
                self._client.get_model_repository_index(client_timeout=timeout_s)
            )

    def background(self) -> Background:
        """Return the event loop, in a thread, that streaming sessions run on.

        tritonclient's own streams for threads allow one stream a client and take two threads
        for each; all streams of the event loop share one channel and one thread.
        """
        with self._lock:
            if self._background is None:
                from ..blocking.background import Background
                from .transport_aio import AsyncGrpcTransport

                self._background = Background(
                    self._url, AsyncGrpcTransport(*self._connection), "asr-client-grpc"
                )
            return self._background

    def close(self) -> None:
        """Close the channels; calls under way end with `ClientClosed`."""
        self._client.close()
        if self._background is not None:
            self._background.close()
