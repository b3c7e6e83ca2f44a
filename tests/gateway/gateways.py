"""Gateways for the tests, each in a thread of this process, and a plain client of its websocket."""

from __future__ import annotations

import contextlib
import io
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests
import soundfile
import websockets

from asr_contract import SAMPLE_RATE
from asr_gateway.service.server import GatewayServer
from asr_gateway.shared.settings import GatewaySettings
from tests.recordings import heldout

STARTED_S = 120
FRAME = 1920  # bytes; 60 ms, which FunASR's Python client sends


@dataclass(frozen=True)
class RunningGateway:
    """A gateway that listens.

    Attributes:
        address: host:port.
        settings: what it was told.
        server: None where it is a process of its own.
    """

    address: str
    settings: GatewaySettings
    server: GatewayServer | None = None

    @property
    def http(self) -> str:
        """Its URL for HTTP."""
        return f"{'https' if self.settings.certfile else 'http'}://{self.address}"

    @property
    def ws(self) -> str:
        """Its URL for websockets."""
        return f"{'wss' if self.settings.certfile else 'ws'}://{self.address}"


@contextlib.contextmanager
def running_gateway(triton_url: str, **settings: Any) -> Iterator[RunningGateway]:
    """Run a gateway on a free port, and stop it as SIGTERM does."""
    chosen = GatewaySettings(triton_url=triton_url, port=0, **settings)
    ready, addresses = threading.Event(), []

    def started(host: str, port: int) -> None:
        addresses.append(f"{host}:{port}")
        ready.set()

    server = GatewayServer(chosen, started)
    thread = threading.Thread(target=server.run, name="gateway")
    thread.start()
    try:
        if not ready.wait(STARTED_S):
            raise TimeoutError("the gateway did not start")
        yield RunningGateway(addresses[0], chosen, server)
    finally:
        server.should_exit = True
        thread.join()


def wav_of(audio: bytes | np.ndarray) -> bytes:
    """A WAV of 16-bit PCM at 16 kHz, or of such samples as floats."""
    file = io.BytesIO()
    samples = np.frombuffer(audio, "<i2") if isinstance(audio, bytes) else audio
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def spoken_pcm(count: int = 2, language: str = "zh", seed: int = 0) -> bytes:
    """Held-out utterances as 16-bit PCM at 16 kHz, with 1.5 s of silence around each."""
    silence = np.zeros(3 * SAMPLE_RATE // 2, np.float32)
    spoken = [samples for name, text, samples in heldout() if name == language and text]
    parts = [silence]
    for index in range(count):
        parts += [spoken[(seed + index) % len(spoken)], silence]
    return pcm(np.concatenate(parts))


def pcm(samples: np.ndarray) -> bytes:
    """float32 samples as 16-bit little-endian."""
    return (samples * 32767).astype("<i2").tobytes()


@contextlib.asynccontextmanager
async def client_of(
    gateway: RunningGateway, path: str = "/", context: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[websockets.ClientConnection]:
    """A websocket of a gateway."""
    connecting = websockets.connect(
        gateway.ws + path,
        ssl=context,
        max_size=None,
        ping_interval=None,
        open_timeout=60,
        **options,
    )
    async with connecting as socket:
        yield socket


def begin(**fields: Any) -> str:
    """The message that begins an utterance."""
    return json.dumps({"mode": "2pass", "chunk_size": [5, 10, 5], "is_speaking": True, **fields})


END = json.dumps({"is_speaking": False, "is_end": True})


async def send_utterance(
    socket: websockets.ClientConnection, audio: bytes, frame: int = FRAME, **fields: Any
) -> None:
    """Send a whole utterance, as fast as it is taken."""
    await socket.send(begin(**fields))
    for first in range(0, len(audio), frame):
        await socket.send(audio[first : first + frame])
    await socket.send(END)


async def replies(socket: websockets.ClientConnection) -> list[dict[str, Any]]:
    """The replies up to the acknowledgement of the end, without it but where it tells an error."""
    received: list[dict[str, Any]] = []
    while True:
        reply = json.loads(await socket.recv())
        if not reply.get("is_end") or "error" in reply:
            received.append(reply)
        if reply.get("is_end"):
            return received


async def recognise(gateway: RunningGateway, audio: bytes, **fields: Any) -> list[dict[str, Any]]:
    """The replies to one utterance on a socket of its own."""
    async with client_of(gateway) as socket:
        await send_utterance(socket, audio, **fields)
        return await replies(socket)


def texts(received: list[dict[str, Any]], mode: str) -> list[str]:
    """The texts of the replies of one mode, without empty ones."""
    return [reply["text"] for reply in received if reply["mode"] == mode and reply["text"]]


def wait_for_no_session(gateway: RunningGateway) -> None:
    """Wait until the gateway has given back all places, a moment after its clients have gone.

    Raises:
        TimeoutError: it does not.
    """
    if gateway.server is None:
        raise ValueError("expected a gateway of this process")
    limits, deadline = gateway.server.gateway.limits, time.monotonic() + STARTED_S
    while limits.open:
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected no open session, found {limits.open}")
        time.sleep(0.02)


def post(
    gateway: RunningGateway,
    audio: Path | bytes,
    headers: dict[str, str] | None = None,
    **fields: str,
) -> requests.Response:
    """Send a recording to OpenAI's HTTP API."""
    data = audio if isinstance(audio, bytes) else audio.read_bytes()
    return requests.post(
        f"{gateway.http}/v1/audio/transcriptions",
        files={"file": ("talk", data)},
        data=fields,
        headers=headers,
        timeout=120,
    )
