"""Broken and hostile messages of every door, among people who speak: nothing of theirs is lost.

FUZZ_MESSAGES=100000 FUZZ_SESSIONS=50 FUZZ_SEED=1 pytest -m soak -s tests/soak/test_fuzz.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
import websockets

from asr_contract import RECOGNISERS
from asr_gateway.shared.settings import GatewaySettings
from asr_server.run import held_ports
from tests.gateway.gateways import (
    END,
    FRAME,
    RunningGateway,
    begin,
    client_of,
    replies,
    spoken_pcm,
    texts,
)
from tests.gateway.hostile_messages import (
    http_request,
    raw_bytes,
    realtime_messages,
    triton_request,
    websocket_messages,
)
from tests.serving import EMBEDDED, serve_models
from tests.soak.test_gateway import MAX_GROWTH_MB, MemoryWatch
from tests.streams import wait_for_open_sessions

pytestmark = pytest.mark.soak

MESSAGES = int(os.environ.get("FUZZ_MESSAGES", "100000"))
SESSIONS = int(os.environ.get("FUZZ_SESSIONS", "50"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
WORKERS = 16
KEY = "fuzz-key-7f3a9c"
FRAME_S = 0.06
INSIDES = (b"Traceback", b"/tmp", b"grpc://", b"unix:", b"Pcm(", b"sys.set_int")
AUDIOS = [spoken_pcm(2, seed=seed) for seed in range(5)]
_TIMEOUT_S = 120


class Doors:
    """Sends what the generators make, and counts it by door."""

    def __init__(self, gateway: RunningGateway, triton_http: str) -> None:
        self._gateway = gateway
        self._triton_http = triton_http
        self._host, self._port = gateway.address.split(":")
        self.sent: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    async def work(self, rng: random.Random) -> None:
        """Send until all workers together have sent enough."""
        limit = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=limit) as http:
            while self.sent.total() < MESSAGES:
                door = rng.random()
                if door < 0.2:
                    await self._websocket(rng)
                elif door < 0.3:
                    await self._realtime(rng)
                elif door < 0.75:
                    await self._http(http, rng)
                elif door < 0.9:
                    await self._raw(rng)
                else:
                    path, body = triton_request(rng, list(RECOGNISERS.values()))
                    url = f"http://{self._triton_http}{path}"
                    await self._ask(http, "POST", url, {}, body, "triton")

    async def _websocket(self, rng: random.Random) -> None:
        messages = websocket_messages(rng)
        path = rng.choice(("/", "/ws", "/any/path"))
        headers = {"Authorization": f"Bearer {KEY}"}
        async with client_of(self._gateway, path, additional_headers=headers) as socket:
            with contextlib.suppress(websockets.ConnectionClosed):  # who waits in vain has failed
                for message in messages:
                    self.sent["websocket"] += 1
                    await socket.send(message)
                if rng.random() < 0.85:  # most do not stay for the answer
                    socket.transport.abort()
                    return
                await socket.send(END)
                while not json.loads(await asyncio.wait_for(socket.recv(), _TIMEOUT_S)).get(
                    "is_end"
                ):
                    pass

    async def _realtime(self, rng: random.Random) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        path = "/v1/realtime?intent=transcription"
        async with client_of(self._gateway, path, additional_headers=headers) as socket:
            with contextlib.suppress(websockets.ConnectionClosed, TimeoutError):
                for message in realtime_messages(rng):
                    self.sent["realtime"] += 1
                    await socket.send(message)
                if rng.random() < 0.85:
                    socket.transport.abort()
                    return
                while True:
                    told = json.loads(await asyncio.wait_for(socket.recv(), 0.2))
                    for inside in INSIDES:
                        assert inside.decode() not in json.dumps(told), (told, inside)

    async def _http(self, http: aiohttp.ClientSession, rng: random.Random) -> None:
        method, path, headers, body = http_request(rng)
        if rng.random() < 0.9:
            headers["Authorization"] = f"Bearer {KEY if rng.random() < 0.9 else 'wrong'}"
        await self._ask(http, method, self._gateway.http + path, headers, body, "http")

    async def _ask(self, http, method, url, headers, body, door: str) -> None:
        self.sent[door] += 1
        with contextlib.suppress(aiohttp.ClientError, ValueError):
            async with http.request(method, url, headers=headers, data=body) as answer:
                text = await answer.read()
                if door == "http":
                    self.statuses[answer.status] += 1
                    assert answer.status != 500, (method, url, text[:200])
                    for inside in INSIDES:
                        assert inside not in text, (url, inside)

    async def _raw(self, rng: random.Random) -> None:
        self.sent["raw"] += 1
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(self._host, int(self._port))
            writer.write(raw_bytes(rng))
            await writer.drain()
            if rng.random() < 0.1:
                await asyncio.wait_for(reader.read(1000), 0.2)
            writer.transport.abort()


class Speaker:
    """Somebody who speaks at the speed of speech, one utterance after another."""

    def __init__(self, gateway: RunningGateway, number: int) -> None:
        self._gateway = gateway
        self._number = number
        self.answers: list[tuple[int, list[str]]] = []  # which audio, its sentences

    async def talk(self, stopped: asyncio.Event) -> None:
        """Speak until told to stop."""
        await asyncio.sleep(self._number % 50 * 0.05)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with client_of(self._gateway, additional_headers=headers) as socket:
            turn = self._number
            while not stopped.is_set():
                which = turn % len(AUDIOS)
                await say(socket, AUDIOS[which])
                received = await replies(socket)
                assert not any("error" in reply for reply in received), received
                self.answers.append((which, texts(received, "2pass-offline")))
                turn += 1


async def say(socket, audio: bytes) -> None:
    """Send an utterance as a microphone gives it."""
    await socket.send(begin())
    begun_s = time.monotonic()
    for index, first in enumerate(range(0, len(audio), FRAME)):
        await asyncio.sleep(max(begun_s + (index + 1) * FRAME_S - time.monotonic(), 0))
        await socket.send(audio[first : first + FRAME])
    await socket.send(END)


async def alone(gateway: RunningGateway) -> list[list[str]]:
    """What each audio's sentences are when nobody else is there."""
    found = []
    for audio in AUDIOS:
        async with client_of(gateway, additional_headers={"Authorization": f"Bearer {KEY}"}) as s:
            await say(s, audio)
            found.append(texts(await replies(s), "2pass-offline"))
    return found


async def attack(gateway: RunningGateway, triton_http: str) -> tuple[Doors, list[Speaker]]:
    """Let people speak while everything is sent."""
    doors, stopped = Doors(gateway, triton_http), asyncio.Event()
    speakers = [Speaker(gateway, number) for number in range(SESSIONS)]
    talks = [asyncio.create_task(speaker.talk(stopped)) for speaker in speakers]
    work = [doors.work(random.Random(SEED * 1000 + worker)) for worker in range(WORKERS)]
    await asyncio.gather(*work)
    stopped.set()
    await asyncio.gather(*talks)
    return doors, speakers


def test_nothing_of_a_speakers_is_lost_among_broken_messages(tmp_path):
    with held_ports(1) as (port,):
        pass  # free from here on, and not given out again soon
    log, models = tmp_path / "gateway.log", tmp_path / "models"
    with serve_models(models, EMBEDDED) as triton:
        run_against(triton, port, log)
        for model in ("vad", "streaming_cif_search"):
            wait_for_open_sessions(triton, 0, model=model)
    check_log(log)
    check_nothing_of_clients(models / "server.log")


def run_against(triton, port: int, log: Path) -> None:
    """Attack a gateway of its own process in front of a server."""
    command = [sys.executable, "-m", "asr_gateway", "--triton", f"grpc://{triton.grpc_url}"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--max-sessions-per-client", "400"],
            env=os.environ | {"TRITON_ASR_API_KEY": KEY},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            assert process.stdout is not None and process.stdout.readline()
            gateway = RunningGateway(f"127.0.0.1:{port}", GatewaySettings(port=port))
            expected = asyncio.run(alone(gateway))
            watch = MemoryWatch(gateway=process.pid, tritonserver=triton.pid)
            watch.start()
            begun_s = time.monotonic()
            try:
                doors, speakers = asyncio.run(attack(gateway, triton.http_url))
            finally:
                memory = watch.stop()
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait()
    answers = [answer for speaker in speakers for answer in speaker.answers]
    lost = [(which, got) for which, got in answers if got != expected[which]]
    print(
        f"\n{doors.sent.total()} messages in {time.monotonic() - begun_s:.0f} s, "
        f"{dict(doors.sent)}, "
        f"HTTP {dict(sorted(doors.statuses.items()))}; {SESSIONS} speakers, {len(answers)} "
        f"utterances, {len(lost)} not as alone; {watch.report()}"
    )
    assert len(answers) >= SESSIONS and lost == []
    for name, (second_quarter, last_quarter) in memory.items():
        assert last_quarter - second_quarter < MAX_GROWTH_MB[name], name


def check_log(path: Path) -> None:
    """See that each line is an object, and none has text, a key, a path or a client's words."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert isinstance(json.loads(line), dict), line[:500]
        assert "/tmp" not in line and "/home" not in line, line[:500]
    check_nothing_of_clients(path)
    print(f"{len(lines)} log lines")


def check_nothing_of_clients(path: Path) -> None:
    """See that no line has text, a key or a client's words; Triton's own has paths of models."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        for secret in (KEY, "etc/passwd", "api_key=", "alert(1)", "%s%n", "UklGR", "evil.example"):
            assert secret not in line, line[:500]
        assert not re.search(r"[\u4e00-\u9fff]", line), line[:500]
