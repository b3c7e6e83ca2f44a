"""Requests that end a `tritonserver` of release 24.10, or fill it: each sent to any port."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

MODEL = "sensevoice"


@dataclass(frozen=True)
class Answer:
    """What came: a status (0 where the connection was cut), and text."""

    status: int
    text: str


def infer_body(**fields: object) -> bytes:
    """A request with one input, whose fields are given."""
    tensor = {"name": "WAV", "shape": [1, 1], "datatype": "FP32", "data": [1.0], **fields}
    return json.dumps({"inputs": [tensor]}).encode()


def _classification() -> bytes:
    samples = np.zeros(1600, np.float32).tolist()
    inputs = [
        {"name": "WAV", "shape": [1, 1600], "datatype": "FP32", "data": samples},
        {"name": "WAV_LENS", "shape": [1, 1], "datatype": "INT32", "data": [1600]},
        {"name": "LANGUAGE", "shape": [1, 1], "datatype": "INT32", "data": [0]},
        {"name": "TEXT_NORM", "shape": [1, 1], "datatype": "INT32", "data": [15]},
    ]
    outputs = [{"name": "TEXT", "parameters": {"classification": 2147483648}}]
    return json.dumps({"inputs": inputs, "outputs": outputs}).encode()


SHARED_MEMORY = {"shared_memory_region": "x", "shared_memory_byte_size": 4}
BODIES = {
    "shape 2^40": infer_body(shape=[1 << 40]),
    "shape 1, 2^62": infer_body(shape=[1, 1 << 62]),
    "shape 1, 2^31": infer_body(shape=[1, 1 << 31]),
    "shape 1, 2^62 without data": infer_body(shape=[1, 1 << 62], data=[]),
    "shape 8, 2^61 + 1": infer_body(shape=[8, (1 << 61) + 1], data=[0.0] * 8),
    "a million brackets": b"[" * 1_000_000,
    "a million brackets within": b'{"inputs":' + b"[" * 1_000_000,
    "classification 2^31": _classification(),
    "shared memory": infer_body(parameters=SHARED_MEMORY),
    "a number of 100,000 digits": b'{"inputs":' + b"9" * 100_000 + b"}",
}
"""Bodies of `POST /v2/models/…/infer`."""

CLOSED = {
    "logging": ("POST", "/v2/logging", b'{"log_verbose_level": 9}'),
    "trace": ("POST", "/v2/trace/setting", b'{"trace_level": ["TIMESTAMPS"]}'),
    "shared memory": (
        "POST",
        "/v2/systemsharedmemory/region/x/register",
        b'{"key": "/x", "offset": 0, "byte_size": 4}',
    ),
    "cuda memory": ("POST", "/v2/cudasharedmemory/region/x/register", b"{}"),
    "load": ("POST", f"/v2/repository/models/{MODEL}/load", b"{}"),
    "unload": ("POST", f"/v2/repository/models/{MODEL}/unload", b"{}"),
    "index": ("POST", "/v2/repository/index", b"{}"),
}
"""Calls that change the server, or look behind it."""


def http(
    port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> Answer:
    """Send a request as a client that reads while it writes."""
    fields = {"Host": f"127.0.0.1:{port}", "Content-Length": str(len(body)), **(headers or {})}
    return raw(port, _head(method, path, fields), [body])


def chunked(port: int, method: str, path: str, count: int) -> Answer:
    """Send a body of so many chunks of a byte."""
    head = _head(method, path, {"Host": f"127.0.0.1:{port}", "Transfer-Encoding": "chunked"})
    chunks = b"1\r\nx\r\n" * 1000
    return raw(port, head, (chunks for _ in range(count // 1000)))


def zeros(port: int, method: str, path: str, size: int) -> Answer:
    """Send a body of so many zeros."""
    head = _head(method, path, {"Host": f"127.0.0.1:{port}", "Content-Length": str(size)})
    return raw(port, head, (bytes(1 << 20) for _ in range(size >> 20)))


def _head(method: str, path: str, fields: dict[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def raw(port: int, head: bytes, body: Iterator[bytes] | list[bytes]) -> Answer:
    """Send bytes until an answer is there."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:

        def send() -> None:
            with contextlib.suppress(OSError):
                connection.sendall(head)
                for piece in body:
                    connection.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        received = b""
        with contextlib.suppress(OSError):
            while b"\r\n\r\n" not in received and (piece := connection.recv(65_536)):
                received += piece
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        sender.join()
    status = int(received.split(b" ")[1]) if received.startswith(b"HTTP/1.1 ") else 0
    return Answer(status, received.decode(errors="replace"))


def grpc_infer(shape: list[int], data: bytes | None, **output: int) -> bytes:
    """A ModelInferRequest, with its tensor as raw bytes or as typed values."""
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    tensor = request.inputs.add(name="WAV", datatype="FP32", shape=shape)
    if data is None:
        tensor.contents.fp32_contents.append(1.0)
    else:
        request.raw_input_contents.append(data)
    for name, value in output.items():
        request.outputs.add(name="TEXT").parameters[name].int64_param = value
    return bytes(request.SerializeToString())


def _grpc_shared_memory() -> bytes:
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    tensor = request.inputs.add(name="WAV", datatype="FP32", shape=[1, 1])
    tensor.parameters["shared_memory_region"].string_param = "x"
    tensor.parameters["shared_memory_byte_size"].int64_param = 1 << 62
    return bytes(request.SerializeToString())


GRPC_MESSAGES = {
    "shape 2^40": grpc_infer([1 << 40], bytes(4)),
    "shape 2^40, typed": grpc_infer([1 << 40], None),
    "shape 1, 2^62": grpc_infer([1, 1 << 62], bytes(4)),
    "shape 1, 2^62 without data": grpc_infer([1, 1 << 62], b""),
    "shape 8, 2^61 + 1": grpc_infer([8, (1 << 61) + 1], bytes(32)),
    "shape 1, 2^31": grpc_infer([1, 1 << 31], bytes(4)),
    "negative sizes": grpc_infer([-1, -1], bytes(4)),
    "classification 2^31": grpc_infer([1, 1], bytes(4), classification=1 << 31),
    "shared memory": _grpc_shared_memory(),
    "no message": b"\xff" * 100,
}
"""Messages of ModelInfer and ModelStreamInfer."""


def grpc_call(port: int, method: str, message: bytes, *, gzip: bool = False) -> grpc.StatusCode:
    """Send a message to a method of Triton's service; returns the status."""
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        path = f"/inference.GRPCInferenceService/{method}"
        compression = grpc.Compression.Gzip if gzip else None
        try:
            if method == "ModelStreamInfer":
                calls = channel.stream_stream(path)(iter([message]), timeout=60)
                for answer in calls:
                    error = service_pb2.ModelStreamInferResponse.FromString(answer).error_message
                    return grpc.StatusCode.UNKNOWN if error else grpc.StatusCode.OK
            else:
                channel.unary_unary(path)(message, timeout=60, compression=compression)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def closed_grpc_calls(port: int) -> dict[str, grpc.StatusCode]:
    """The status of each call that changes a server, or looks behind it."""
    service = service_pb2
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        calls = {
            "LogSettings": service.LogSettingsRequest(),
            "TraceSetting": service.TraceSettingRequest(),
            "SystemSharedMemoryRegister": service.SystemSharedMemoryRegisterRequest(
                name="x", key="/x", byte_size=4
            ),
            "SystemSharedMemoryStatus": service.SystemSharedMemoryStatusRequest(),
            "CudaSharedMemoryStatus": service.CudaSharedMemoryStatusRequest(),
            "RepositoryIndex": service.RepositoryIndexRequest(),
            "RepositoryModelLoad": service.RepositoryModelLoadRequest(model_name=MODEL),
            "RepositoryModelUnload": service.RepositoryModelUnloadRequest(model_name=MODEL),
        }
        statuses = {}
        for name, request in calls.items():
            try:
                getattr(stub, name)(request, timeout=60)
                statuses[name] = grpc.StatusCode.OK
            except grpc.RpcError as error:
                statuses[name] = error.code()
    return statuses
