"""What stands in front of the gRPC door: real clients of gRPC pass, what piles up is cut."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_server.doors.access import Access
from asr_server.doors.body import NoRoom
from asr_server.doors.grpc_door import GrpcDoor
from asr_server.doors.grpc_relay import Relay
from asr_server.doors.http2_messages import PREFACE, Frames, Messages
from asr_server.doors.shares import Shares
from asr_server.doors.tensors import Refused

METHOD = "/test/Method"
DATA, HEADERS, RST, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
BEGUN = 40_000  # bytes of a message; less than what a server takes without being asked


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


def header(name: bytes, value: bytes) -> bytes:
    """A literal field of HPACK."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def headers_of(method: str) -> bytes:
    fields = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": method.encode(),
        b":authority": b"x",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    return b"".join(header(name, value) for name, value in fields.items())


CALL = headers_of(METHOD)
HELLO = PREFACE + frame(SETTINGS, 0, 0)


def message(size: int) -> bytes:
    return b"\0" + size.to_bytes(4, "big") + bytes(size)


def unfinished(stream: int = 1, call: bytes = CALL) -> bytes:
    """A call, and the beginning of a message of 1 MB."""
    begun = message(1 << 20)[:BEGUN]
    pieces = [begun[first : first + 16_384] for first in range(0, BEGUN, 16_384)]
    return frame(HEADERS, END_HEADERS, stream, call) + b"".join(
        frame(DATA, 0, stream, piece) for piece in pieces
    )


@asynccontextmanager
async def relayed(folder, **bounds):
    """A server of gRPC that answers with sizes, a relay in front of it, and the relay's port."""
    relay = Relay(folder / "own", **bounds)

    async def size(request: bytes, context) -> bytes:
        return f"{len(request)} {relay.address_of(context.peer())}".encode()

    async def sizes(requests, context):
        async for request in requests:
            yield await size(request, context)

    class Handler(grpc.GenericRpcHandler):
        def service(self, details):
            if details.method == METHOD:
                return grpc.unary_unary_rpc_method_handler(size)
            return grpc.stream_stream_rpc_method_handler(sizes)

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 64 << 20)])
    server.add_generic_rpc_handlers((Handler(),))
    server.add_insecure_port(f"unix:{folder}/own")
    await server.start()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    await relay.start(listening)
    yield relay, port
    await relay.close()
    await server.stop(0)


def channel(port: int):
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)


async def until(condition) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("it did not happen")


async def opened(port: int, data: bytes, address: str = "127.0.0.1"):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    writer.write(data)
    return reader, writer


async def is_cut(connection) -> bool:
    try:
        while await asyncio.wait_for(connection[0].read(65_536), 10):
            pass
    except ConnectionError:
        return True
    return True


def run(test) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def test_calls_and_streams_pass_and_leave_nothing(tmp_path):
    async def test() -> None:
        async with relayed(tmp_path) as (relay, port), channel(port) as client:
            call = client.unary_unary(METHOD)
            answers = await asyncio.gather(*(call(bytes(size)) for size in (0, 1, 9, 3 << 20)))
            assert [answer.split()[0] for answer in answers] == [b"0", b"1", b"9", b"3145728"]
            assert {answer.split()[1] for answer in answers} == {b"127.0.0.1"}

            async def requests():
                for size in (100_000, 0, 1 << 20):
                    yield bytes(size)

            stream = client.stream_stream("/test/Stream")(requests())
            assert [(await stream.read()).split()[0] for _ in range(3)] == [
                b"100000",
                b"0",
                b"1048576",
            ]
            await stream.read()
            (connection,) = relay._connections.values()
            await until(lambda: not connection.messages.calls)
            assert connection.messages.num_bytes == relay._arriving == 0

    run(test())


def test_what_holds_most_is_cut_and_usual_calls_are_answered(tmp_path):
    async def test() -> None:
        async with relayed(tmp_path, max_bytes=5 * BEGUN) as (relay, port), channel(port) as good:
            hostile = [await opened(port, HELLO + unfinished()) for _ in range(12)]
            await until(lambda: len(relay._connections) <= 5)
            assert relay._arriving <= 5 * BEGUN
            assert (await good.unary_unary(METHOD)(bytes(BEGUN))).startswith(b"40000 ")
            # Another's message that is on its way is not the one to be cut.
            other = await opened(port, HELLO + unfinished(), "127.0.0.2")
            many = HELLO + unfinished(1) + unfinished(3)
            hostile += [await opened(port, many) for _ in range(3)]
            for connection in hostile[-3:]:
                assert await is_cut(connection)
            assert 0 < relay._arriving <= 5 * BEGUN
            assert "127.0.0.2" in {each.address for each in relay._connections.values()}
            assert not other[0].at_eof()

    run(test())


def test_the_idlest_connection_of_whom_has_most_makes_way(tmp_path):
    async def test() -> None:
        async with relayed(tmp_path, max_connections=4) as (relay, port):
            other = await opened(port, HELLO, "127.0.0.2")
            busy = await opened(port, HELLO + unfinished())
            idle = [await opened(port, HELLO) for _ in range(2)]
            await until(lambda: len(relay._connections) == 4)
            async with channel(port) as good:
                assert await good.unary_unary(METHOD)(b"")
                assert await is_cut(idle[0])
                assert len(relay._connections) == 4
            assert not other[0].at_eof()
            assert not busy[0].at_eof()

    run(test())


@pytest.mark.parametrize(
    "words",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", HELLO + frame(DATA, 8, 1, b"\x01xx")],
    ids=["HTTP/1.1", "TLS", "padding"],
)
def test_what_is_no_grpc_is_cut(tmp_path, words):
    async def test() -> None:
        async with relayed(tmp_path) as (relay, port):
            assert await is_cut(await opened(port, words))
            assert not relay._connections

    run(test())


@pytest.mark.parametrize("method", ["ModelInfer", "ModelStreamInfer", "ModelConfig"])
def test_a_key_is_asked_for_before_a_message_is_there(tmp_path, method):
    async def test() -> None:
        door = GrpcDoor(Access(keys=["secret"]), tmp_path / "nobody", tmp_path / "own")
        listening = socket.create_server(("127.0.0.1", 0))
        await door.start(listening)
        path = f"/inference.GRPCInferenceService/{method}"
        port = listening.getsockname()[1]
        raw = await opened(port, HELLO + unfinished(call=headers_of(path)))
        unauthenticated = header(b"grpc-status", b"16")[1:]
        await asyncio.wait_for(raw[0].readuntil(unauthenticated), 30)  # though it is not whole
        async with channel(port) as client:
            for metadata, status in (
                ([], grpc.StatusCode.UNAUTHENTICATED),
                ([("authorization", "Bearer secret")], grpc.StatusCode.INVALID_ARGUMENT),
            ):
                call = client.stream_stream(path)([b"\xff"], metadata=metadata)
                assert await call.code() is status
        await door.close()

    run(test())


def test_a_client_comes_again_when_the_server_is_not_there(tmp_path):
    async def test() -> None:
        relay = Relay(tmp_path / "nobody")
        listening = socket.create_server(("127.0.0.1", 0))
        await relay.start(listening)
        assert await is_cut(await opened(listening.getsockname()[1], HELLO))
        await relay.close()

    run(test())


@settings(max_examples=50)
@given(st.lists(st.integers(0, 600), max_size=5), st.integers(1, 300), st.booleans())
def test_any_cut_of_messages_is_counted_alike(sizes, step, ends):
    """In frames of any size and pieces of any size: what is not whole is what is counted."""
    data = b"".join(message(size) for size in sizes) + message(1000)[:505]
    stream = HELLO + frame(HEADERS, END_HEADERS, 1, CALL)
    stream += b"".join(
        frame(DATA, 0, 1, data[first : first + 3 * step]) for first in range(0, len(data), 3 * step)
    )
    messages = Messages()
    for first in range(0, len(stream), step):
        messages.sent(stream[first : first + step])
    assert messages.num_bytes == 500
    assert messages.calls == {1}
    messages.answered(frame(DATA, 0, 1, message(3)))
    assert messages.num_bytes == 500
    if ends:
        messages.answered(frame(HEADERS, END_HEADERS | END_STREAM, 1, b""))
    else:
        messages.sent(frame(RST, 0, 1, bytes(4)))
    assert (messages.num_bytes, messages.calls) == (0, set())


def test_a_message_that_grpc_refuses_counts_nothing():
    messages = Messages()
    messages.sent(HELLO + frame(HEADERS, END_HEADERS, 1, CALL))
    messages.sent(frame(DATA, 0, 1, message(300 << 20)[:16_384]))
    assert messages.num_bytes == 0


def test_frames_tell_no_http_2():
    with pytest.raises(Refused):
        list(Frames(PREFACE).feed(b"PRI * HTTP/1"))


def test_a_client_has_half_of_what_others_leave():
    shares = Shares(8)
    held = [shares.held("a") for _ in range(4)]
    for each in held:
        each.__enter__()
    with pytest.raises(NoRoom), shares.held("a"):
        pass
    others = [shares.held(name) for name in ("b", "c", "d", "e")]
    for each in others:
        each.__enter__()
    with pytest.raises(NoRoom), shares.held("f"):
        pass
    for each in held + others:
        each.__exit__(None, None, None)
    with shares.held("f"):
        pass
