"""Shows the gateway: a file by OpenAI's API, and live speech by FunASR's websocket protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import soundfile
import websockets

from asr_gateway.service import GatewayServer
from asr_gateway.shared import Settings

_FRAME_S = 0.06
_SPEED = 3  # times faster than it was spoken


def show_gateway(triton_url: str, path: Path) -> None:
    """Start a gateway, send it a recording both ways, print what comes back, and stop it.

    Args:
        triton_url: as `AsyncClient` takes it.
        path: a mono recording of Mandarin.
    """
    asyncio.run(_show(triton_url, path))


async def _show(triton_url: str, path: Path) -> None:
    async with _gateway(triton_url) as url, aiohttp.ClientSession(raise_for_status=True) as http:
        print(f"\ngateway on {url}")
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


@asynccontextmanager
async def _gateway(triton_url: str) -> AsyncIterator[str]:
    """Run a gateway on a free port of this machine; gives its URL."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Settings(triton_url=triton_url, port=0, model="paraformer")
    server = GatewayServer(settings, lambda host, port: address.set_result(f"{host}:{port}"))
    serving = asyncio.create_task(server.serve())
    either: set[asyncio.Future[Any]] = {address, serving}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not address.done():
            await serving
            raise RuntimeError("the gateway ended before it listened")
        yield f"http://{address.result()}"
    finally:
        server.should_exit = True
        await serving


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
        if reply["is_final"]:
            break
        print(f"  {reply['mode']:<15}{reply['text']}", flush=True)
