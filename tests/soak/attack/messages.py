"""Hostile messages of any number, the same for a seed: for websockets, HTTP, KServe and gRPC."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tests.client.test_media_bounds import BOMBS
from tests.gateway.gateways import END, begin
from tests.gateway.raw_websocket import BINARY, CONTINUATION, PING, TEXT, frame
from tests.hostile_requests import BODIES, CLOSED, GRPC_MESSAGES

_WORDS = ("is_speaking", "mode", "chunk_size", "hotwords", "wav_format", "audio_fs", "itn")
_MODELS = ("sensevoice", "infer_pipeline", "streaming_paraformer", "vad", "punctuation", "x")
_PATHS = ("/", "/../../etc/passwd", "/static/%2e%2e/", "/v1/models/" + "x" * 4000, "/metrics")
_TEXTS = ("", "2pass", "pcm", "\ud800", "\0", "声" * 9, "x" * 500)
_NUMBERS = (0, -1, 1 << 31, 1 << 63, 1e308, -1e-308, 0.5)
_DEEP = (
    '{"a":' * 20_000,
    "[" * 50_000,
    "{",
    "null",
    json.dumps({"hotwords": "[" * 9_000}),
)


def value(choice: random.Random, depth: int = 0) -> object:
    """Anything that JSON can hold."""
    kinds: list[Callable[[], object]] = [
        lambda: choice.choice((None, True, False)),
        lambda: choice.choice(_NUMBERS),
        lambda: choice.choice(_TEXTS),
    ]
    if depth < 4:
        kinds += [
            lambda: [value(choice, depth + 1) for _ in range(choice.randrange(4))],
            lambda: {choice.choice(_WORDS): value(choice, depth + 1) for _ in range(2)},
        ]
    return choice.choice(kinds)()


def websocket_message(choice: random.Random) -> str | bytes:
    """A frame: mostly small, so that many are sent; now and then one that is deep or long."""
    roll = choice.random()
    if roll < 0.55:
        return choice.randbytes(choice.choice((0, 1, 2, 3, 64, 640)))
    if roll < 0.7:
        return begin(mode=choice.choice(("2pass", "online", "offline")))
    if roll < 0.8:
        return END
    if roll < 0.97:
        return json.dumps({word: value(choice) for word in choice.sample(_WORDS, 2)})
    return choice.choice(_DEEP) if roll < 0.998 else choice.choice(BOMBS)


def websocket_frame(choice: random.Random) -> bytes:
    """The same as bytes; now and then no text in a frame of text, a piece of one, or no frame."""
    roll = choice.random()
    if roll < 0.01:
        return frame(choice.randrange(16), choice.randbytes(9), final=choice.random() < 0.5)
    if roll < 0.012:
        return choice.randbytes(9)
    message = websocket_message(choice)
    opcode, data = (BINARY, message) if isinstance(message, bytes) else (TEXT, message.encode())
    if roll < 0.05:
        return (
            frame(opcode, data[:3], final=False) + frame(PING, b"") + frame(CONTINUATION, data[3:])
        )
    return frame(opcode, data)


def http_request(choice: random.Random, host: str) -> bytes:
    """A request to the gateway: broken, foreign, or an upload of something that is no audio."""
    roll = choice.random()
    if roll < 0.2:
        return choice.randbytes(choice.randrange(1, 200)) + b"\r\n\r\n"
    head = []
    if roll < 0.3:
        host = "evil.example"
    elif roll < 0.4:
        head.append("Origin: https://evil.example")
    if roll < 0.6:
        method = choice.choice(("GET", "PUT", "BREW", "HEAD"))
        return _request(method, choice.choice(_PATHS), host, b"", *head)
    prompt = "[" * choice.choice((1, 400_000))
    fields = {"prompt": prompt, "model": str(value(choice)), "language": "zh"}
    body = b""
    for name, text in choice.sample([*fields.items()], choice.randrange(3)):
        body += f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        body += text.encode(errors="replace") + b"\r\n"
    body += b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body += choice.choice([*BOMBS, b"", b"[" * 1000, choice.randbytes(2000)])
    body += choice.choice((b"\r\n--b--\r\n", b""))
    head.append("Content-Type: multipart/form-data; boundary=b")
    return _request("POST", "/v1/audio/transcriptions", host, body, *head)


def kserve_request(choice: random.Random, host: str) -> bytes:
    """A request to Triton's HTTP port or its metrics: those that killed, and others of the kind."""
    host = choice.choice((host, host, "evil.example"))
    roll = choice.random()
    if roll < 0.1:
        method, path, body = choice.choice([*CLOSED.values()])
        return _request(method, path, host, body)
    if roll < 0.15:
        head = f"POST /v2/health/live HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked"
        return head.encode() + b"\r\n\r\n" + b"1\r\nx\r\n" * 5000
    if roll < 0.25:
        body = choice.choice([*BODIES.values()])
    else:
        tensor = {
            "name": choice.choice(("WAV", "WAV_LENS", "TEXT", "x")),
            "shape": value(choice),
            "datatype": choice.choice(("FP32", "INT32", "BYTES", "BOOL", "FP99")),
            "data": value(choice),
        }
        body = json.dumps({"inputs": [tensor], "outputs": value(choice)}).encode()
    return _request("POST", f"/v2/models/{choice.choice(_MODELS)}/infer", host, body)


def grpc_message(choice: random.Random) -> bytes:
    """A message of ModelInfer: one that killed, whole or damaged, or no message at all."""
    message = bytearray(choice.choice([*GRPC_MESSAGES.values()]))
    for _ in range(choice.randrange(4)):
        message[choice.randrange(len(message))] = choice.randrange(256)
    return bytes(message[: choice.randrange(len(message) + 1)])


def _request(method: str, path: str, host: str, body: bytes, *head: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *head]
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
