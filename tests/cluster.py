"""Several Tritons and gateways, each a process that can be ended; and clients that outlive them.

A client does what the documentation tells clients to do: it comes again where it is sent away, and
goes on behind what was committed where a session is handed over or lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import websockets

from asr_gateway.shared.settings import GatewaySettings
from asr_server.places import ROOT
from asr_server.run import ServerFlags, TritonServer, held_ports
from tests.gateway.gateways import END, FRAME, RunningGateway, begin, client_of
from tests.processes import read_until
from tests.serving import READY_TIMEOUT_S

FRAME_S = FRAME / 32_000
AGAIN_S = 0.3
PATIENCE_S = 240.0


class Triton:
    """A `tritonserver` that comes back on its ports."""

    def __init__(self, repositories: Sequence[Path], work: Path, number: int) -> None:
        with held_ports(3) as ports:
            self._ports = ports
        self._repositories = repositories
        self._log = work / f"triton{number}.log"
        self.server = self._make()

    @property
    def url(self) -> str:
        """Its gRPC."""
        return f"grpc://127.0.0.1:{self._ports[1]}"

    def _make(self) -> TritonServer:
        http, grpc, metrics = self._ports
        return TritonServer(
            self._repositories,
            http_port=http,
            grpc_port=grpc,
            metrics_port=metrics,
            log=self._log,
            flags=ServerFlags(exit_timeout_s=5),
        )

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.server.start()
        self.server.wait_ready(READY_TIMEOUT_S)

    def kill(self) -> None:
        """End it as a lost machine does."""
        os.kill(self.server.pid, signal.SIGKILL)

    def restart(self, grace_s: float = 0.0) -> None:
        """End it, by SIGTERM at first where `grace_s` is more than 0, and start it anew."""
        self.server.stop(grace_s)
        self.server = self._make()
        self.start()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop it in its tracks for a while."""
        os.kill(self.server.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.server.pid, signal.SIGCONT)


class GatewayProcess:
    """`triton-asr-gateway` as a process."""

    def __init__(self, urls: Sequence[str], work: Path, number: int, *options: str) -> None:
        with held_ports(1) as ports:
            self._port = ports[0]
        self._words = [f"--triton={','.join(urls)}", f"--port={self._port}", *options]
        self.log = work / f"gateway{number}.log"
        self.seen = RunningGateway(f"127.0.0.1:{self._port}", GatewaySettings())
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "asr_gateway", *self._words],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        read_until(self._process, "OpenAI")

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 120) -> int:
        """End it by a signal; returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@dataclass
class Cluster:
    """What runs."""

    tritons: list[Triton]
    gateways: list[GatewayProcess]

    @property
    def urls(self) -> list[str]:
        """Of the Tritons."""
        return [triton.url for triton in self.tritons]


@contextlib.contextmanager
def running_cluster(
    repositories: Sequence[Path], work: Path, tritons: int, gateways: int, *options: str
) -> Iterator[Cluster]:
    """Start Tritons and gateways in front of all of them.

    Args:
        repositories: with models.
        work: an empty folder, for logs.
        tritons, gateways: how many.
        options: of the gateways' command line.
    """
    servers = [Triton(repositories, work, number) for number in range(tritons)]
    urls = [server.url for server in servers]
    doors = [GatewayProcess(urls, work, number, *options) for number in range(gateways)]
    try:
        for server in servers:
            server.server.start()
        for door in doors:
            door.start()
        for server in servers:
            server.server.wait_ready(READY_TIMEOUT_S)
        yield Cluster(servers, doors)
    finally:
        for door in doors:
            door.stop(signal.SIGKILL)
        for server in servers:
            server.server.stop(0.0)


@dataclass
class Heard:
    """What a client got of an utterance.

    Attributes:
        sentences: committed ones.
        moves: how often it had to go on elsewhere.
        errors: what it was told of failures.
    """

    sentences: list[str] = field(default_factory=list)
    moves: int = 0
    errors: list[str] = field(default_factory=list)


async def speak(
    gateways: Sequence[RunningGateway], audio: bytes, first: int = 0, pace: float = 1.0
) -> Heard:
    """Say an utterance, to another gateway where one sends it away or hands it over.

    Args:
        gateways: to be tried in turn.
        audio: 16-bit PCM at 16 kHz.
        first: the gateway to begin with.
        pace: how much faster than it is spoken.
    """
    heard, offset, deadline_s = Heard(), 0, time.monotonic() + PATIENCE_S
    for number in range(first, first + 1000):
        try:
            committed = await _part(gateways[number % len(gateways)], audio[offset:], heard, pace)
        except (OSError, websockets.WebSocketException, TimeoutError):
            committed = 0  # it is not there, or takes nobody
        if committed is None:
            return heard
        heard.moves += 1
        offset += committed * 32
        if time.monotonic() > deadline_s:
            break
        await asyncio.sleep(AGAIN_S)
    heard.errors.append("nobody took the utterance")
    return heard


async def _part(gateway: RunningGateway, audio: bytes, heard: Heard, pace: float) -> int | None:
    """Say what is left to one gateway; returns the ms that were committed, None for all."""
    received: list[dict[str, Any]] = []
    committed: int | None = 0
    async with client_of(gateway) as socket:

        async def send() -> None:
            await socket.send(begin(wav_name="cluster"))
            begun_s = time.monotonic()
            for index, at in enumerate(range(0, len(audio), FRAME)):
                due_s = begun_s + (index + 1) * FRAME_S / pace
                await asyncio.sleep(max(due_s - time.monotonic(), 0))
                await socket.send(audio[at : at + FRAME])
            await socket.send(END)

        sending = asyncio.create_task(send())
        try:
            async for message in socket:
                reply = json.loads(message)
                if reply.get("is_end") and "error" not in reply:
                    committed = None
                    break
                received.append(reply)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    sentences = [each for each in received if each["mode"] == "2pass-offline" and each["text"]]
    last = next((each["committed"] for each in received if "committed" in each), None)
    if last is not None:
        sentences = [each for each in sentences if each["index"] < last["stretches"]]
        committed = last["ms"]
    elif committed is not None and sentences:  # it broke: what is told of a sentence is known
        committed = sentences[-1]["end_time"]
    heard.sentences += [each["text"] for each in sentences]
    heard.errors += [each["error"] for each in received if "error" in each and len(received) > 1]
    return committed


async def upload(gateways: Sequence[RunningGateway], file: Path, first: int = 0) -> str:
    """Have a file transcribed, and again where a gateway says so or is gone; returns its text."""
    deadline_s = time.monotonic() + PATIENCE_S
    async with aiohttp.ClientSession() as session:
        number = first
        while True:
            url = f"{gateways[number % len(gateways)].http}/v1/audio/transcriptions"
            form = aiohttp.FormData()
            form.add_field("model", "sensevoice")
            form.add_field("file", file.read_bytes(), filename=file.name)
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.post(url, data=form) as answer:
                    body = await answer.json()
                    if answer.status == 200:
                        return str(body["text"])
                    if answer.status != 503:
                        raise RuntimeError(f"{answer.status}: {body}")
            if time.monotonic() > deadline_s:
                raise TimeoutError("nobody took the file")
            number += 1
            await asyncio.sleep(AGAIN_S)
