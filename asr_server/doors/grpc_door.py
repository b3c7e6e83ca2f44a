"""KServe v2 over gRPC, for clients: what is checked goes on to Triton's own gRPC, on a socket.

Messages pass as they came. Compressed ones are refused: gRPC unpacks them before it looks at
their size, and 64 MB can hold 64 GB.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
from tritonclient.grpc import service_pb2

from asr_contract import recorded
from asr_server.doors.access import Access
from asr_server.doors.body import MAX_BODY_BYTES, MAX_WAITING_BYTES, NoRoom, Room
from asr_server.doors.grpc_relay import Relay
from asr_server.doors.http_door import RETRY_AFTER_S
from asr_server.doors.shares import Shares
from asr_server.doors.tensors import (
    MAX_TENSORS,
    STRINGS,
    Refused,
    check_bytes,
    check_count,
    check_parameter,
    shown,
)
from asr_server.doors.under_way import Step, UnderWay

_SERVICE = "/inference.GRPCInferenceService/"
_LIVE = f"{_SERVICE}ServerLive"
_CHECK = "/grpc.health.v1.Health/Check"
_READY = f"{_SERVICE}ServerReady"
# The message that a method takes.
_HEALTH = {
    _CHECK: service_pb2.ModelReadyRequest,  # like HealthCheckRequest, a name as its first field
    _LIVE: service_pb2.ServerLiveRequest,
    _READY: service_pb2.ServerReadyRequest,
}
_NOT_READY = {
    _CHECK: b"\x08\x02",  # HealthCheckResponse with NOT_SERVING
    _READY: service_pb2.ServerReadyResponse(ready=False).SerializeToString(),
}
_QUERIES = {
    **_HEALTH,
    f"{_SERVICE}ModelReady": service_pb2.ModelReadyRequest,
    f"{_SERVICE}ServerMetadata": service_pb2.ServerMetadataRequest,
    f"{_SERVICE}ModelMetadata": service_pb2.ModelMetadataRequest,
    f"{_SERVICE}ModelConfig": service_pb2.ModelConfigRequest,
    f"{_SERVICE}ModelStatistics": service_pb2.ModelStatisticsRequest,
}
_INFER = f"{_SERVICE}ModelInfer"
_STREAM = f"{_SERVICE}ModelStreamInfer"
_QUERY_BYTES = 65_536
_STREAM_BYTES = 8 << 20  # of a message; the 120 s of audio that `vad` takes in one

_MAX_CALLS = 4096  # the streams of `max_sessions` (`run.flags.GRPC_POOL`), and a thousand more
_BUSY = "as many calls or bytes are under way as this door takes together, or of one client"
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.compression_enabled_algorithms_bitset", 1),  # identity only
    ("grpc.max_metadata_size", 16_384),
    ("grpc.so_reuseport", 0),
    # What a connection may send before this door reads it. gRPC would let that grow to tens of
    # megabytes for each stream, which a Triton that stands still would leave in memory.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1 << 20),
    # As Triton: a client may ask every five minutes whether the server is there, and each time
    # that data flows.
    ("grpc.http2.min_ping_interval_without_data_ms", 300_000),
    ("grpc.http2.max_ping_strikes", 2),
]
_TRITON_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
]

_LEAVING = f"the server stops; come again in {RETRY_AFTER_S} s, or ask another"


class GrpcDoor(grpc.GenericRpcHandler):  # type: ignore[misc]  # without types
    """Serves clients on a listening socket.

    Args:
        access: who is let in; gRPC knows no pages.
        triton: Triton's own socket.
        own: where gRPC's server of this door listens, behind the relay.
    """

    def __init__(self, access: Access, triton: Path, own: Path) -> None:
        self._access = access
        self._own = own
        self._relay = Relay(own)
        self._shares = Shares(_MAX_CALLS)
        self._triton = grpc.aio.insecure_channel(f"unix:{triton}", options=_TRITON_OPTIONS)
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=_MAX_CALLS)
        self._server.add_generic_rpc_handlers((self,))
        # Messages are whole when they are handed over: those that wait are in memory, too.
        self._room = Room(max_waiting_bytes=MAX_WAITING_BYTES)
        self._leaving = False
        self._under_way = UnderWay()

    async def start(self, listening: socket.socket) -> None:
        """Take connections."""
        self._server.add_insecure_port(f"unix:{self._own}")
        await self._server.start()
        await self._relay.start(listening)

    async def left(self) -> None:
        """Say that the server is not ready, take no new sequence, and wait for what is open."""
        self._leaving = True
        await self._under_way.finished()

    async def close(self) -> None:
        """End, with what is under way."""
        await self._server.stop(grace=1.0)
        await self._relay.close()
        await self._triton.close()

    def service(self, details: Any) -> Any:
        """Return what handles a method; None of those that are not open."""
        method = details.method
        if method == _STREAM:
            return grpc.stream_stream_rpc_method_handler(self._stream(method))
        if method == _INFER or method in _QUERIES:
            # By its shape it may have several messages: so it is admitted before the first is read.
            return grpc.stream_unary_rpc_method_handler(self._unary(method))
        return None

    def _unary(self, method: str) -> Any:
        call = self._triton.unary_unary(method)

        async def pass_on(request: bytes, context: Any) -> bytes:
            left_s, metadata = context.time_remaining(), _passed_on(context)
            return bytes(await call(request, timeout=left_s, metadata=metadata))

        async def infer(request: bytes, context: Any) -> bytes:
            model, step = check_infer(request)
            if self._leaving and step is not None and step.start:
                await context.abort(grpc.StatusCode.UNAVAILABLE, _LEAVING)
            async with self._room.reserved(len(request)):
                with self._under_way.call():
                    answer = await pass_on(request, context)
                    self._under_way.note(model, step)
                    return answer

        async def only(requests: AsyncIterator[bytes], context: Any) -> bytes:
            async with _read(requests) as messages:
                async for request in messages:
                    return await answer(request, context)
            raise Refused("expected a message")

        async def answer(request: bytes, context: Any) -> bytes:
            if method == _INFER:
                return await infer(request, context)
            _check_query(_QUERIES[method], request)
            if method == _LIVE:  # as over HTTP: what watches Triton lives
                return bytes(service_pb2.ServerLiveResponse(live=True).SerializeToString())
            if self._leaving and method in _NOT_READY:
                return bytes(_NOT_READY[method])
            async with self._room.reserved(len(request)):
                return await pass_on(request, context)

        async def handle(requests: AsyncIterator[bytes], context: Any) -> bytes:
            await self._admit(method, context)
            try:
                with self._shares.held(self._relay.address_of(context.peer())):
                    return await only(requests, context)
            except (Refused, NoRoom, grpc.aio.AioRpcError) as error:
                await self._pass_failure(error, context)
                raise

        return handle

    def _stream(self, method: str) -> Any:
        call = self._triton.stream_stream(method)

        async def handle(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            await self._admit(method, context)
            failures: list[Exception] = []

            async def checked() -> AsyncIterator[bytes]:
                try:
                    async with _read(requests) as messages:
                        async for request in messages:
                            _check_size(request, _STREAM_BYTES)
                            model, step = check_infer(request)
                            async with self._room.reserved(len(request)):
                                yield request
                            if step is not None and step.end:  # of one that began alone
                                self._under_way.note(model, step)
                except (Refused, NoRoom) as error:
                    failures.append(error)
                    answers.cancel()

            try:
                client = self._relay.address_of(context.peer())
                with self._shares.held(client), self._under_way.call():
                    left_s, metadata = context.time_remaining(), _passed_on(context)
                    answers = call(checked(), timeout=left_s, metadata=metadata)
                    try:
                        async for answer in answers:
                            yield answer
                    finally:
                        answers.cancel()
            except (NoRoom, grpc.aio.AioRpcError) as error:
                failures.append(error)
            except BaseException:
                if not failures:
                    raise
            if failures:
                await self._pass_failure(failures[0], context)

        return handle

    async def _admit(self, method: str, context: Any) -> None:
        """End a call that brings no key where one is needed."""
        metadata = dict(context.invocation_metadata() or ())
        if method not in _HEALTH and not self._access.has_key(metadata.get("authorization", "")):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "expected the metadata authorization: Bearer KEY"
            )

    async def _pass_failure(self, error: Exception, context: Any) -> None:
        """End a call as Triton ended it, or say that Triton is not there, or what was refused.

        gRPC keeps how a call ended for long, and with it what the error came through: the message.
        """
        error.__traceback__ = error.__context__ = error.__cause__ = None
        if isinstance(error, Refused):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        if not isinstance(error, grpc.aio.AioRpcError):
            await context.abort(grpc.StatusCode.UNAVAILABLE, _BUSY)
            return
        code, details = error.code(), error.details() or ""
        ready = grpc.ChannelConnectivity.READY
        if code is grpc.StatusCode.UNAVAILABLE and self._triton.get_state() is not ready:
            starts = "Triton does not answer: it starts, or starts anew"
            details = _LEAVING if self._leaving else f"{starts}; come again in {RETRY_AFTER_S} s"
        await context.abort(code, details)


def _read(requests: AsyncIterator[bytes]) -> aclosing[Any]:
    """Return the messages of a call; gRPC would keep the last for as long as how the call ended."""
    messages: Any = aiter(requests)
    return aclosing(messages)


def _passed_on(context: Any) -> list[tuple[str, str]]:
    """Return the metadata of a call that Triton is told: which trace it belongs to."""
    return [*recorded(dict(context.invocation_metadata() or ())).items()]


def check_infer(message: bytes) -> tuple[str, Step | None]:
    """Check a ModelInferRequest; return its model, and which step of a sequence it is, if any.

    Raises:
        Refused: it is none, or one that is not open to clients.
    """
    request = _parsed(service_pb2.ModelInferRequest, message)
    if len(request.inputs) > MAX_TENSORS or len(request.outputs) > MAX_TENSORS:
        raise Refused(f"expected at most {MAX_TENSORS} inputs and outputs")
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise Refused(f"raw_input_contents: expected {len(request.inputs)}; got {len(raw)}")
    for name in request.parameters:
        check_parameter("request", name)
    for output in request.outputs:
        for name in output.parameters:
            check_parameter(output.name, name)
    for index, tensor in enumerate(request.inputs):
        for name in tensor.parameters:
            check_parameter(tensor.name, name)
        if raw:
            check_bytes(tensor.name, tensor.datatype, tensor.shape, raw[index])
        else:
            _check_contents(tensor)
    return request.model_name, _step(request.parameters)


def _step(parameters: Any) -> Step | None:
    if "sequence_id" not in parameters:
        return None
    which = parameters["sequence_id"]
    flags = [
        name in parameters and bool(parameters[name].bool_param)
        for name in ("sequence_start", "sequence_end")
    ]
    return Step(which.string_param or which.int64_param, *flags)


def _check_contents(tensor: Any) -> None:
    """Check values that are typed; Triton takes those of the field of its datatype."""
    filled = [field.name for field, _ in tensor.contents.ListFields()]
    if len(filled) > 1:
        raise Refused(f"{shown(tensor.name)}: expected one kind of contents; got {filled}")
    count = len(getattr(tensor.contents, filled[0])) if filled else 0
    check_count(tensor.name, tensor.datatype, tensor.shape, count)
    field = _FIELDS.get(tensor.datatype)
    if filled and filled != [field]:
        raise Refused(f"{shown(tensor.name)}: expected {field}; got {filled[0]}")


_FIELDS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    STRINGS: "bytes_contents",
}


def _check_query(kind: Any, message: bytes) -> None:
    """Check what else is asked; Triton would write a line to its log for each that is broken."""
    _check_size(message, _QUERY_BYTES)
    _parsed(kind, message)


def _parsed(kind: Any, message: bytes) -> Any:
    try:
        return kind.FromString(message)
    except Exception as error:  # protobuf's own, which is no part of its interface
        name = kind.DESCRIPTOR.name
        raise Refused(f"expected a {name} ({type(error).__name__})") from None


def _check_size(message: bytes, max_bytes: int) -> None:
    if len(message) > max_bytes:
        raise Refused(f"expected at most {max_bytes} bytes; got {len(message)}")
