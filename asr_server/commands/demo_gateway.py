"""Shows the gateway: a file by OpenAI's API, and live speech by FunASR's websocket protocol."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import soundfile
import websockets

from asr_server.places import log_file
from asr_server.run import TritonServerError, start_bound

_FRAME_S = 0.06
_SPEED = 3  # times faster than it was spoken


def show_gateway(triton_url: str, path: Path) -> None:
    """Start a gateway, send it a recording both ways, print what comes back, and stop it.

    Args:
        triton_url: of the server, as the gateway takes it.
        path: a mono recording of Mandarin.
    """
    with _gateway(triton_url) as url:
        print(f"\ngateway on {url}")
        asyncio.run(_show(url, path))


async def _show(url: str, path: Path) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        form = aiohttp.FormData({"model": "paraformer", "response_format": "srt"})
        form.add_field("file", path.read_bytes(), filename=path.name)
        print(f"POST /v1/audio/transcriptions, {path.name}, response_format srt")
        async with http.post(f"{url}/v1/audio/transcriptions", data=form) as answer:
            for line in (await answer.text()).strip().splitlines():
                print(f"  {line}")
        print(f"websocket, mode 2pass, {path.name} at {_SPEED} x real speed")
        websocket = f"{url.replace('http', 'ws', 1)}/ws"
        async with websockets.connect(websocket, proxy=None) as socket:
            await asyncio.gather(_speak(socket, path), _listen(socket))


@contextmanager
def _gateway(triton_url: str) -> Iterator[str]:
    """Run a gateway on a free port of this machine; gives its URL.

    Raises:
        TritonServerError: it ended before it listened.
    """
    command = [sys.executable, "-m", "asr_gateway", "--triton", triton_url]
    options = ["--port", "0", "--model", "paraformer"]
    log = log_file("demo-gateway.log")
    with (
        log.open("ab") as errors,
        start_bound(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            first = process.stdout.readline() if process.stdout else ""
            if not first:
                raise TritonServerError(
                    f"the gateway ended with status {process.wait()}; log: {log}"
                )
            yield first.split()[-1].rstrip("/")
        finally:
            process.terminate()


async def _speak(socket: websockets.ClientConnection, path: Path) -> None:
    """Send a recording in frames of 60 ms."""
    samples, rate = soundfile.read(path, dtype="int16")
    begin = {"mode": "2pass", "audio_fs": rate, "is_speaking": True}
    await socket.send(json.dumps(begin))
    frame = int(_FRAME_S * rate)
    for start in range(0, len(samples), frame):
        await socket.send(samples[start : start + frame].tobytes())
        await asyncio.sleep(_FRAME_S / _SPEED)
    await socket.send(json.dumps({"is_speaking": False}))


async def _listen(socket: websockets.ClientConnection) -> None:
    """Print the replies until the closing one."""
    async for message in socket:
        reply = json.loads(message)
        if reply["text"]:
            print(f"  {reply['mode']:<15}{reply['text']}", flush=True)
        if reply["is_final"]:
            break
