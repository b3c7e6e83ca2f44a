"""The gRPC transport: one channel for all calls and streams."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

import tritonclient.grpc.aio as triton
from numpy.typing import NDArray

from .. import tracing
from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo
from .calls import Calls
from .endpoint import Endpoint
from .failures import translated
from .grpc_messages import (
    grpc_arguments,
    grpc_metadata,
    grpc_outputs,
    grpc_queue_ns,
    grpc_ready_models,
)
from .grpc_stream import GrpcRequestStream
from .interface import RequestStream, traced_request

_INT32_MAX = 2**31 - 1

_CHANNEL_OPTIONS: list[tuple[str, int]] = [
    # gRPC's default of 4 MB is one minute of audio.
    ("grpc.max_send_message_length", _INT32_MAX),
    ("grpc.max_receive_message_length", _INT32_MAX),
    # A peer that vanished without a word is noticed while a call waits. Triton tolerates two
    # pings without data and then hangs up, so not more than two are sent.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 2),
    ("grpc.initial_reconnect_backoff_ms", 200),
    # Channels of one process would share their back-off, but a new client is to try at once.
    ("grpc.use_local_subchannel_pool", 1),
    # As the HTTP transport: straight to the server, proxies of the environment are not used.
    ("grpc.enable_http_proxy", 0),
    # gRPC must not repeat a request behind our back.
    ("grpc.enable_retries", 0),
]

# gRPC applies the deadline itself; this much later its report is no longer waited for.
_REPORT_S = 2.0


class GrpcTransport:
    """`interface.Transport` over gRPC.

    It connects at the first call: grpc.aio binds to the event loop that runs then, and a client
    may well be made before any loop runs.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ca_file: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._ca_file = ca_file
        self._headers = dict(headers or {})  # of every call
        self._url = endpoint.url
        self._opened: triton.InferenceServerClient | None = None
        self._calls = Calls(self._url)

    def _client(self) -> triton.InferenceServerClient:
        self._calls.check_open()
        if self._opened is None:
            self._opened = triton.InferenceServerClient(**self._connection())
        return self._opened

    def _connection(self) -> dict[str, Any]:
        """Return the arguments of tritonclient's gRPC clients."""
        return {
            "url": self._endpoint.address,
            "ssl": self._endpoint.uses_tls,
            "root_certificates": self._ca_file,
            "channel_args": [
                *_CHANNEL_OPTIONS,
                ("grpc.max_reconnect_backoff_ms", _reconnect_ms(self._endpoint)),
                *_name_options(self._endpoint),
            ],
        }

    async def _call(self, method: str, timeout_s: float, *arguments: Any, **options: Any) -> Any:
        """Call a method of tritonclient's, and await what it answers."""
        headers = {**self._headers, **tracing.headers()}
        options |= {"client_timeout": timeout_s, "headers": headers}
        call = self._start(method, *arguments, **options)
        return await self._calls.run(call, timeout_s + _REPORT_S)

    def _start(self, method: str, *arguments: Any, **options: Any) -> Awaitable[Any]:
        """Begin with a call; what carries it is the sub-class's choice."""
        call: Awaitable[Any] = getattr(self._client(), method)(*arguments, **options)
        return call

    async def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        with (
            translated(self._url, f"model {request.model_name!r}", timeout_s),
            traced_request(request, self._url),
        ):
            arguments = grpc_arguments(request, timeout_s)
            return grpc_outputs(await self._call("infer", timeout_s, **arguments))

    def open_stream(self) -> RequestStream:
        """Return a way for the requests of one sequence."""
        with translated(self._url, "stream", 0):
            return GrpcRequestStream(self._client(), self._url, self._calls, self._headers)

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether the server says that it is ready."""
        with translated(self._url, "", timeout_s):
            return bool(await self._call("is_server_ready", timeout_s))

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether the server says that this model is ready."""
        with translated(self._url, f"model {name!r}", timeout_s):
            return bool(await self._call("is_model_ready", timeout_s, name))

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        with translated(self._url, f"model {name!r}", timeout_s):
            return grpc_metadata(await self._call("get_model_metadata", timeout_s, name))

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that the server lists as ready."""
        with translated(self._url, "list of models", timeout_s):
            return grpc_ready_models(await self._call("get_inference_statistics", timeout_s))

    async def queue_ns(self, timeout_s: float) -> int:
        """Return how long all requests so far have waited in queues, in nanoseconds."""
        with translated(self._url, "statistics", timeout_s):
            return grpc_queue_ns(await self._call("get_inference_statistics", timeout_s))

    async def close(self) -> None:
        """Close the channel; calls under way end with `ClientClosed`."""
        self._calls.close()
        if self._opened is not None:
            await self._opened.close()


def _reconnect_ms(endpoint: Endpoint) -> int:
    """Return how soon a server that comes back is found, in ms: gRPC's own is two minutes."""
    return 200 if endpoint.scheme == "unix" else 2_000  # one of this machine costs no network


def _name_options(endpoint: Endpoint) -> list[tuple[str, str]]:
    """Return what asks the server by its name where the address is one of several behind it."""
    if not endpoint.authority:
        return []
    options = [("grpc.default_authority", endpoint.authority)]
    if endpoint.uses_tls:
        name = endpoint.authority.rpartition(":")[0].strip("[]")
        options.append(("grpc.ssl_target_name_override", name))
    return options
