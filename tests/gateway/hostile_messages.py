"""Seeded messages and requests that are broken or mean harm, for every door."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Sequence
from typing import Any

END = '{"is_speaking": false, "is_end": true}'
_WORDS = (
    *("", "null", "2pass", "offline", "online", "pcm", "wav", "../../etc/passwd", "\x00", "\ud800"),
    *("5,10,5", "[5,10,5]", "zh", "NaN", "1e999", "-1", "true", "' OR 1=1 --", "%s%n", "阿里巴巴"),
    *("<script>alert(1)</script>", "a" * 5000, "🎤" * 300, "{", '{"a":', "\r\nX: y"),
)
_FIELDS = (
    *("mode", "wav_name", "wav_format", "audio_fs", "chunk_size", "hotwords", "itn", "svs_lang"),
    *("svs_itn", "model", "is_speaking", "is_finished", "is_end", "chunk_interval", "unknown"),
)
_COMMANDS = (
    "START",
    "STOP",
    "COMMIT",
    "HOTWORDS:阿里巴巴,x",
    "HOTWORDS:",
    "LANGUAGE:zh",
    "LANGUAGE:%s%n",
)
_EVENTS = (
    *("session.update", "transcription_session.update", "input_audio_buffer.append"),
    *("input_audio_buffer.commit", "input_audio_buffer.clear", "response.create", "nonsense", ""),
)
_INPUT_FIELDS = ("format", "transcription", "turn_detection", "noise_reduction", "unknown")
_FORM_FIELDS = (
    *("model", "language", "prompt", "itn", "response_format", "temperature", "stream"),
    *("timestamp_granularities[]", "include[]", "keywords[]", "languages[]", "chunking_strategy"),
)
_PATHS = (
    *("/v1/audio/transcriptions", "/v1/audio/translations", "/v1/models", "/v1/models/x%00y"),
    "/v1/audio/alignments",
    *("/v1/models/..%2f..%2fetc", "/v1/realtime", "/health", "/readyz", "/openapi.json", "/"),
    *("/static/%2e%2e/%2e%2e/settings.py", "/static//etc/passwd", "/nothing", "//", "/v1"),
)
_MAGIC = (
    *(b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC\x00\x00\x00\x22", b"OggS\x00\x02", b"ID3\x04\x00"),
    *(
        b"\x1aE\xdf\xa3",
        b"\x00\x00\x00\x20ftypisom",
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"\xff\xfb\x90",
    ),
    *(b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", b"<svg/>", b"GIF89a", b"caff\x00\x01", b""),
)


def _value(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value of any kind."""
    kinds: list[Any] = [
        None,
        rng.random() < 0.5,
        rng.randrange(-(2**70), 2**70),
        rng.choice((0, 1, -1, 16000, 8000, 10**400, float("inf"), float("nan"), 0.1)),
        rng.choice(_WORDS),
    ]
    if depth < 3:
        kinds.append([_value(rng, depth + 1) for _ in range(rng.randrange(4))])
        kinds.append({rng.choice(_WORDS): _value(rng, depth + 1) for _ in range(rng.randrange(3))})
    return rng.choice(kinds)


def websocket_messages(rng: random.Random) -> list[str | bytes]:
    """What a client sends on one connection: broken, out of order, or hostile."""
    messages: list[str | bytes] = []
    for _ in range(rng.randrange(1, 40)):
        kind = rng.random()
        if kind < 0.45:
            fields = {rng.choice(_FIELDS): _value(rng) for _ in range(rng.randrange(1, 5))}
            messages.append(json.dumps(fields))
        elif kind < 0.55:
            messages.append(rng.choice(_WORDS).encode("utf-8", "replace").decode())
        elif kind < 0.6:
            messages.append(rng.choice(_COMMANDS))
        elif kind < 0.65:
            messages.append(rng.choice(("[" * 20_000, '{"a":' * 5_000, '"' + "x" * 100_000)))
        elif kind < 0.7:
            messages.append(rng.choice((END, '{"is_speaking": true}', "{}", '{"is_finished":1}')))
        else:
            messages.append(_audio(rng))
    return messages


def realtime_messages(rng: random.Random) -> list[str | bytes]:
    """What a client of the Realtime API sends on one connection."""
    messages: list[str | bytes] = []
    for _ in range(rng.randrange(1, 30)):
        kind = rng.random()
        if kind < 0.5:
            audio = base64.b64encode(_audio(rng)).decode() if kind < 0.35 else _value(rng)
            event = {"type": rng.choice(_EVENTS), "event_id": _value(rng), "audio": audio}
            messages.append(json.dumps(event))
        elif kind < 0.85:
            field = {rng.choice(_INPUT_FIELDS): _value(rng) for _ in range(rng.randrange(1, 3))}
            session = {
                "type": rng.choice(("transcription", "realtime", 5)),
                "audio": {"input": field},
            }
            session |= {"include": _value(rng)} if rng.random() < 0.2 else {}
            messages.append(json.dumps({"type": rng.choice(_EVENTS[:2]), "session": session}))
        else:
            messages.append(rng.choice(websocket_messages(rng)))
    return messages


def _audio(rng: random.Random) -> bytes:
    size = rng.choice((0, 1, 3, 32, 1920, 9_999))
    return rng.choice(_MAGIC) + rng.randbytes(size) if rng.random() < 0.3 else bytes(size)


def http_request(rng: random.Random) -> tuple[str, str, dict[str, str], bytes]:
    """A method, a path, headers and a body."""
    path = rng.choice(_PATHS) if rng.random() < 0.4 else _PATHS[0]
    method = rng.choice(("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"))
    if path != _PATHS[0]:
        return method, path, {"Origin": rng.choice(_HEADERS)}, b""
    return ("POST", path, {"Content-Type": _content_type(rng)}, _form(rng))


_HEADERS = ("null", "https://evil.example", "*", "file://", "https://" + "a" * 2000)


def _content_type(rng: random.Random) -> str:
    return "multipart/form-data; boundary=x" if rng.random() < 0.9 else "application/json"


def _form(rng: random.Random) -> bytes:
    """A form, mostly with a field that makes no sense, so that most end before the models."""
    parts = []
    for _ in range(rng.randrange(6)):
        name = rng.choice(_FORM_FIELDS)
        value = str(rng.choice(_WORDS)).encode("utf-8", "replace")
        parts.append(_part(f'name="{name}"'.encode(), value))
    if rng.random() < 0.7:
        body = rng.choice(_MAGIC) + rng.randbytes(rng.choice((0, 1, 100, 4000)))
        name = rng.choice((b'filename="a"', b"filename*=utf-8''%E5%BD", b'filename=""'))
        parts.append(_part(b'name="file"; ' + name, body))
    if rng.random() < 0.8:
        parts.insert(0, _part(b'name="response_format"', b"no such format"))
    rng.shuffle(parts)
    form = b"".join(parts) + b"--x--\r\n"
    return form[: rng.randrange(len(form))] if rng.random() < 0.1 else form


def _part(disposition: bytes, value: bytes) -> bytes:
    head = b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n"
    return head + value + b"\r\n"


def raw_bytes(rng: random.Random) -> bytes:
    """What is written to the port below HTTP and websockets."""
    frames = b"".join(
        bytes([rng.randrange(256), rng.randrange(256)]) + rng.randbytes(rng.randrange(30))
        for _ in range(rng.randrange(1, 5))
    )
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    return rng.choice(
        (
            upgrade + frames,
            rng.randbytes(rng.randrange(1, 200)),
            b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 99\r\n\r\nabc",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
            b"GET /" + b"a" * rng.randrange(20_000) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01" + struct.pack(">H", rng.randrange(65536)) + rng.randbytes(20),
        )
    )


def triton_request(rng: random.Random, models: Sequence[str]) -> tuple[str, bytes]:
    """A path and a JSON body of Triton's own HTTP door, for models of recordings."""
    model = rng.choice((*models, "no_such_model", "..%2f..", "vad_encoder"))
    rows, samples = rng.choice((0, 1, 2)), rng.choice((0, 1, 400))
    data = [rng.choice((0.0, 1e30, -1.0))] * (rows * samples)
    inputs = [
        {"name": "WAV", "datatype": "FP32", "shape": [rows, samples], "data": data},
        {
            "name": "WAV_LENS",
            "datatype": rng.choice(("INT32", "FP32", "BYTES", "NONSENSE")),
            "shape": [rng.choice((rows, 1, 7, -1)), 1],
            "data": [rng.choice((samples, -1, 2**31, "x", None))],
        },
    ]
    body: Any = {"inputs": inputs, "parameters": {rng.choice(_WORDS[:8]): rng.choice((1, "x"))}}
    text = json.dumps(body).encode()
    text = text[: rng.randrange(len(text))] if rng.random() < 0.2 else text
    return f"/v2/models/{model}/infer", text
