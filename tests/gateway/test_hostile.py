"""Clients that mean harm, or break: an error or a close, and nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket as sockets
import struct

import pytest
import requests
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.gateways import (
    END,
    RunningGateway,
    begin,
    client_of,
    recognise,
    running_gateway,
    spoken_pcm,
    texts,
    wait_for_no_session,
)
from tests.gateway.raw_websocket import TIMEOUT_S, frame, handshake, some, until_closed
from tests.streams import wait_for_open_sessions

AUDIO = spoken_pcm(1)


@pytest.fixture(autouse=True)
def nothing_is_left_and_it_still_works(gateway, triton):
    yield
    wait_for_no_session(gateway)
    for model in ("vad", "streaming_cif_search"):
        wait_for_open_sessions(triton, 0, model=model)


@pytest.fixture(scope="module", autouse=True)
def it_still_works(gateway):
    before = texts(asyncio.run(recognise(gateway, AUDIO)), "2pass-offline")
    yield before
    after = asyncio.run(recognise(gateway, AUDIO))
    assert texts(after, "2pass-offline") == before != []


@pytest.fixture
def expected(it_still_works):
    """The sentences of the audio."""
    return it_still_works


def closing(gateway: RunningGateway, *messages: str | bytes) -> tuple[int, dict]:
    """Send messages; returns the close code and the last reply."""

    async def run() -> tuple[int, dict]:
        reply: dict = {}
        async with client_of(gateway) as socket:
            with contextlib.suppress(websockets.ConnectionClosed):
                for message in messages:
                    await socket.send(message)
                while True:
                    reply = json.loads(await socket.recv())
            await socket.wait_closed()
            return socket.close_code or 0, reply

    return asyncio.run(asyncio.wait_for(run(), TIMEOUT_S))


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        "[]",
        '{"mode": 5}',
        '{"is_speaking": "perhaps"}',
        '{"chunk_size": [5, 10]}',
        '{"hotwords": "{broken"}',
        "[" * 50_000,
        '{"a": ' * 50_000,
        json.dumps({"hotwords": "x" * 2_000_000}),
    ],
)
def test_no_protocol_is_refused_and_the_session_goes_on(gateway, expected, message):
    """Before the utterance, within it and behind it."""
    middle = len(AUDIO) // 2

    async def run() -> None:
        async with client_of(gateway) as socket:
            for part in (message, begin(), AUDIO[:middle], message, AUDIO[middle:], END, message):
                await socket.send(part)
            received: list[dict] = []
            while sum("error" in reply for reply in received) < 3 or not any(
                reply.get("is_end") for reply in received
            ):
                received.append(json.loads(await socket.recv()))
            for reply in (reply for reply in received if "error" in reply):
                assert "expected" in reply["error"] and not reply["is_final"]
                assert reply["text"] == "" and len(reply["error"]) < 500
            heard = [reply for reply in received if "error" not in reply]
            assert texts(heard, "2pass-offline") == expected

    asyncio.run(run())


def test_samples_that_are_none_are_told_and_the_session_closed(gateway):
    code, reply = closing(gateway, begin(), b"RIFF" + bytes(4) + b"WAVEdata" + bytes(100))
    assert code == 1007
    assert "expected" in reply["error"] and reply["text"] == ""


def test_a_huge_frame_is_not_read(gateway):
    code, _ = closing(gateway, begin(), bytes(100_000_000))
    assert code in (1006, 1009)  # it may be cut off while it is still sent


def test_endings_in_the_wrong_order_are_answered(gateway):
    async def run() -> None:
        async with client_of(gateway) as socket:
            for message in (END, END, begin(), END, END):
                await socket.send(message)
            ends = 0
            while ends < 4:
                ends += bool(json.loads(await socket.recv()).get("is_end"))

    asyncio.run(run())


# Below the library


def test_bytes_that_are_no_frames_close(gateway, caplog):
    bad = {
        "invalid UTF-8": frame(1, b"\xff\xfe"),
        "reserved bits": b"\xf2\x80" + bytes(4),
        "unknown opcode": frame(5, b""),
        "unmasked": b"\x81\x02{}",
        "too long a ping": bytes([0x89, 0xFE, 0x10, 0x00]) + bytes(4 + 4096),
        "continuation of nothing": frame(0, b"abc"),
        "a length of exabytes": bytes([0x82, 0xFF]) + b"\x7f" * 8 + bytes(4),
    }
    for name, data in bad.items():
        raw = handshake(gateway)
        raw.sendall(frame(1, begin().encode()) + data)
        assert until_closed(raw), name
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize("count", [30_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_very_many_tiny_frames_are_one_utterance(gateway, count):
    audio = (AUDIO * (count // len(AUDIO) + 1))[:count]
    raw = handshake(gateway)
    raw.settimeout(20 * TIMEOUT_S)
    raw.sendall(frame(1, begin(mode="offline").encode()))
    raw.sendall(b"".join(frame(2, audio[i : i + 1]) for i in range(count)))
    raw.sendall(frame(1, b'{"is_speaking": false}'))
    data = b""
    while b'"is_final": true' not in data:  # behind pings, if it takes long
        data += some(raw)
    raw.close()


def test_fragments_are_joined(gateway):
    raw = handshake(gateway, "/any/path?with=query")
    message = begin(mode="offline").encode()
    raw.sendall(frame(1, message[:10], False) + frame(9, b"ping") + frame(0, message[10:]))
    raw.sendall(frame(1, b'{"is_speaking": false}'))
    received = b""
    while b'"is_final": true' not in received:
        received += some(raw)
    assert b"ping" in received
    raw.close()


def test_clients_may_go_at_any_point(gateway):
    """A connection is reset after each part of an exchange; fixtures look for what is left."""
    speech = [AUDIO[first : first + 32000] for first in range(0, len(AUDIO), 32000)]
    steps: list[str | bytes] = [begin(), *speech, END, begin(mode="offline"), AUDIO, END, END]

    async def leave_after(count: int, wait_for_text: bool) -> None:
        async with client_of(gateway) as socket:
            for message in steps[:count]:
                await socket.send(message)
            if wait_for_text and count > len(speech):
                await socket.recv()  # an answer was there: sequences are open on the server
            socket.transport.abort()

    async def run() -> None:
        for count in range(len(steps) + 1):
            await asyncio.gather(leave_after(count, False), leave_after(count, True))

    asyncio.run(run())


def test_half_open_and_silent_clients_are_closed(triton, triton_url):
    # Long enough for what is sent at once, on however slow a machine; all four wait together.
    with running_gateway(triton_url, idle_timeout_s=5, header_timeout_s=5) as gateway:
        silent, stopped = handshake(gateway), handshake(gateway)
        stopped.sendall(frame(1, begin().encode()) + frame(2, AUDIO[:120]))  # within an utterance
        host, port = gateway.address.split(":")
        half_open = []
        for start in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "):
            half_open.append(sockets.create_connection((host, int(port)), timeout=TIMEOUT_S))
            half_open[-1].sendall(start)
        for raw in (silent, stopped):
            assert b"nothing came" in until_closed(raw)
        for raw in half_open:
            assert until_closed(raw) == b""
        wait_for_no_session(gateway)
    wait_for_open_sessions(triton, 0, model="vad")


def test_slow_uploads_are_given_up(triton_url):
    with running_gateway(triton_url, upload_idle_timeout_s=0.5) as gateway:
        host, port = gateway.address.split(":")
        with sockets.create_connection((host, int(port)), timeout=TIMEOUT_S) as raw:
            raw.sendall(
                b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
            assert b" 408 " in raw.recv(65536)
        wait_for_no_session(gateway)


def test_clients_that_leave_during_a_transcription_stop_it(gateway):
    host, port = gateway.address.split(":")
    head = (
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        + b"fLaC"
        + bytes(20_000)
        + b"\r\n--x--\r\n"
    )
    for stop in (0, 100, len(body)):
        with sockets.create_connection((host, int(port)), timeout=TIMEOUT_S) as raw:
            raw.sendall(head % len(body) + body[:stop])
            raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))


def test_tricks_with_paths_and_headers(gateway):
    host, port = gateway.address.split(":")
    tricks = [
        b"GET /static/../../settings.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/%2e%2e%2f%2e%2e%2fsettings.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static//etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /static/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Content-Length: 6\r\n\r\nabcdef",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # a TLS greeting
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: no\r\n\r\n",
    ]
    for trick in tricks:
        with sockets.create_connection((host, int(port)), timeout=TIMEOUT_S) as raw:
            with contextlib.suppress(OSError):  # it may have hung up on the first bytes
                raw.sendall(trick)
                raw.shutdown(sockets.SHUT_WR)
            answer = until_closed(raw)
        assert answer[9:12] in (b"", b"400", b"404", b"426", b"200"), (trick[:60], answer[:60])
        assert b"class GatewaySettings" not in answer and b"root:" not in answer
    assert requests.get(gateway.http + "/healthz", timeout=TIMEOUT_S).ok


def test_a_client_that_does_not_read_is_let_go(triton, triton_url):
    with running_gateway(triton_url, send_timeout_s=0.5) as gateway:
        raw = handshake(gateway)
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        raw.settimeout(5)  # when it takes no more either
        name = "x" * 1000  # makes replies large
        message = frame(1, begin(mode="offline", wav_name=name).encode())
        with contextlib.suppress(ConnectionError, TimeoutError):
            for _ in range(20_000):
                raw.sendall(message + frame(1, b'{"is_speaking": false}'))
        raw.close()
        wait_for_no_session(gateway)


MESSAGES = st.one_of(
    st.binary(max_size=5000),
    st.text(max_size=50),
    st.sampled_from([begin(), begin(mode="offline"), begin(mode="online"), END, AUDIO, "{}"]),
    st.dictionaries(
        st.sampled_from(["mode", "chunk_size", "audio_fs", "is_speaking", "hotwords", "itn"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([5, 10, 5]),
        max_size=3,
    ).map(json.dumps),
)


@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "25")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(MESSAGES, max_size=6))
def test_any_messages_end_in_an_answer_or_a_close(gateway, messages):
    async def run() -> None:
        async with client_of(gateway) as socket:
            with contextlib.suppress(websockets.ConnectionClosed):
                for message in [*messages, END]:
                    await socket.send(message)
                while not json.loads(await socket.recv()).get("is_end"):
                    pass
                return
            assert socket.close_code in (1007, 1009, 1011)

    asyncio.run(run())
