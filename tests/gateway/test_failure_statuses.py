"""A killed ffmpeg, a full disk and an overload: none is the client's fault, each has a status."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import websockets

from asr_client.audio.media.places import MediaPlaces
from asr_gateway.shared.settings import GatewaySettings
from tests.client.media_files import ffmpeg
from tests.client.test_media_supervision import fake_ffmpeg
from tests.gateway.gateways import (
    END,
    RunningGateway,
    begin,
    client_of,
    post,
    spoken_pcm,
    wait_for_no_session,
)
from tests.processes import read_until

TIMEOUT_S = 60
AUDIO = spoken_pcm(1)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """What only ffmpeg reads."""
    path = tmp_path_factory.mktemp("statuses") / "minute.m4a"
    ffmpeg("-f", "lavfi", "-i", "sine=d=60", "-c:a", "aac", path)
    return path


def closing(gateway: RunningGateway, *messages: str | bytes) -> tuple[int, str]:
    """The close code, and what the last message says."""

    async def run() -> tuple[int, str]:
        reply: dict = {}
        async with client_of(gateway) as socket:
            try:
                for message in messages:
                    await socket.send(message)
                while True:
                    reply = json.loads(await socket.recv())
            except websockets.ConnectionClosed:
                return socket.close_code or 0, reply.get("error", "")

    return asyncio.run(asyncio.wait_for(run(), TIMEOUT_S))


def test_a_killed_decoder(gateway, video, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "kill -KILL $$", monkeypatch)
    answer = post(gateway, video.read_bytes())
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "decoder_failed")
    assert "need not be the file's fault" in answer.json()["error"]["message"]
    code, error = closing(gateway, *file_of(video))
    assert (code, error) == (4500, answer.json()["error"]["message"])
    wait_for_no_session(gateway)


def test_an_overload(gateway, video, monkeypatch):
    monkeypatch.setattr("asr_client.audio.media.decoder.PLACES", MediaPlaces(0, patience_s=0.1))
    answer = post(gateway, video.read_bytes())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    assert int(answer.headers["Retry-After"]) > 0
    code, error = closing(gateway, *file_of(video))
    assert (code, error) == (1013, answer.json()["error"]["message"])


def file_of(path: Path) -> list[str | bytes]:
    """The messages that send a file."""
    return [begin(mode="offline", wav_format="m4a"), path.read_bytes(), END]


def test_a_full_disk(triton_url):
    # Python would write what it compiles half, too, and read that ever after.
    limited = "ulimit -f 200; export PYTHONDONTWRITEBYTECODE=1"
    command = f"{limited}; exec {sys.executable} -m asr_gateway --port 0 --triton {triton_url}"
    with subprocess.Popen(
        ["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            started = read_until(process, "OpenAI")
            address = started.split("http://")[1].split("/")[0]
            gateway = RunningGateway(address, GatewaySettings())
            answer = post(gateway, bytes(3 << 20))
            assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
            assert "no room on its disk" in answer.json()["error"]["message"]
            code, error = closing(gateway, begin(mode="offline"), *[bytes(1 << 20)] * 3, END)
            assert (code, error) == (4507, answer.json()["error"]["message"])
        finally:
            process.terminate()
        log = process.stderr.read()
    assert "Traceback" not in log and "traceback" not in log


def test_several_failures_at_once_leave_no_traceback(gateway, caplog):
    """The reader and the recognition fail in one turn of the loop; one of them is told."""
    caplog.set_level(logging.ERROR, logger="asyncio")

    async def run() -> None:
        for _ in range(20):
            async with client_of(gateway) as socket:
                await socket.send(begin(mode="online", hotwords="x"))
                await socket.send(AUDIO[:64000])
                await socket.send(b"RIFF" + bytes(8) + b"data" + bytes(100))
                await socket.close()

    asyncio.run(run())
    wait_for_no_session(gateway)
    assert [record for record in caplog.records if "never retrieved" in record.getMessage()] == []
