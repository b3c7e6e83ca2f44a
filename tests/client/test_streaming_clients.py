"""SDK, command line and demo clients against the served streaming Paraformer."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client import AsyncClient, Client, RequestRejected, SessionLimitReached, SessionLost
from asr_client.cli import main
from tests.client.virtual_microphone import virtual_microphone
from tests.recordings import cut
from tests.serving import RANDOM_MODELS, serve_models
from tests.streams import wait_for_open_sessions

CLIENTS = Path(__file__).parents[2] / "clients"
TINY = RANDOM_MODELS / "paraformer_online-tiny-seed0"
MAX_SESSIONS = 3
SECOND = 16_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A random-weight model: its text means nothing, but must be the same whatever the client."""
    work = tmp_path_factory.mktemp("streaming-clients")
    parameters = {"max_sessions": str(MAX_SESSIONS)}
    with serve_models(work, {"paraformer-online": TINY}, parameters) as server:
        yield server


@pytest.fixture(autouse=True)
def patient_closing(monkeypatch):
    """Leaving a session waits for the server's answer, however slow the machine is."""
    monkeypatch.setattr("asr_client.aio.session.CLOSE_TIMEOUT_S", 60.0)


@pytest.fixture(params=["grpc", "http"])
def url(request, server) -> str:
    return f"{request.param}://{server.grpc_url if request.param == 'grpc' else server.http_url}"


@pytest.fixture(scope="module")
def speech(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """A recording as a file and as samples, exact in 16 bits."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    soundfile.write(path, cut(7.3, 3.0), SECOND, subtype="PCM_16")
    return path, soundfile.read(path, dtype="float32")[0]


@pytest.fixture(scope="module")
def expected(server, speech):
    """The transcript of one request with all the audio."""
    with Client(f"http://{server.http_url}") as client, client.stream() as session:
        session.send(speech[1])
        transcript = session.finish()
    assert transcript.text
    assert len(transcript.tokens) == len(transcript.timestamps_ms) > 3
    return transcript


@pytest.mark.parametrize("piece", [1000, 9600, 48_000])
def test_every_cut_and_client_gives_the_same(url, speech, expected, piece):
    samples = speech[1]
    pieces = [samples[first : first + piece] for first in range(0, len(samples), piece)]
    with Client(url) as client, client.stream() as session:
        for part in pieces:
            session.send(part)
        assert session.finish() == expected
        updates = list(session.updates())
    assert [(update.new_text, update.is_final) for update in updates] == [(expected.text, True)]

    async def run():
        async with AsyncClient(url) as client, client.stream() as session:
            seen = []

            async def read() -> None:
                async for update in session.updates():
                    seen.append(update)

            reader = asyncio.create_task(read())
            for part in pieces:
                await session.send((part * 32768).astype(np.int16).tobytes())
            transcript = await session.finish()
            await reader
            return transcript, seen

    transcript, seen = asyncio.run(run())
    assert transcript == expected
    assert "".join(update.new_text for update in seen) == expected.text
    assert [token for update in seen for token in update.tokens] == expected.tokens


def test_times_are_steps_of_60_ms_in_order(expected):
    starts = [start for start, _ in expected.timestamps_ms]
    assert starts == sorted(starts)
    assert all(time % 60 == 0 for pair in expected.timestamps_ms for time in pair)
    assert all(start <= end for start, end in expected.timestamps_ms)


def test_chunk_sizes(url, speech, expected):
    texts = {}
    with Client(url) as client:
        for chunk_size in ((5, 10, 5), (0, 10, 5), (0, 8, 4)):
            with client.stream(chunk_size=chunk_size) as session:
                session.send(speech[1])
                texts[chunk_size] = session.finish().text
        assert texts[5, 10, 5] == expected.text
        with pytest.raises(RequestRejected, match="chunk_size"):
            client.stream(chunk_size=(1, 2, 3)).open()


def test_the_limit_and_that_leaving_makes_room(url):
    with Client(url) as client:
        for _ in range(3):
            sessions = [client.stream() for _ in range(MAX_SESSIONS + 1)]
            for session in sessions[:-1]:
                session.open()
                session.send(np.zeros(SECOND, np.float32))
            with pytest.raises(SessionLimitReached, match=f"at most {MAX_SESSIONS} open sessions"):
                sessions[-1].open()
            for session in sessions:
                session.close()


def test_a_session_that_the_server_forgot_is_lost(url, speech):
    """Another client's START on the same number stands for a server that was restarted."""
    with Client(url) as client, client.stream() as session:
        session.send(speech[1][: 3 * SECOND])
        while session.acknowledged_s < 3:
            time.sleep(0.02)
        text = session.text
        thief = client.stream()
        thief._inner._requests.sequence_id = session.sequence_id
        thief.open()
        thief.finish()
        with pytest.raises(SessionLost) as caught:
            session.send(speech[1][: 3 * SECOND])
            session.finish()
        assert (caught.value.acknowledged_s, caught.value.text) == (3, text)


def test_the_command_line(url, speech, expected, tmp_path, capsys):
    path, output = speech[0], tmp_path / "out"
    assert main(["stream", str(path), "--url", url, "--chunk-ms", "60"]) == 0
    assert capsys.readouterr() == (" ".join(expected.text.split()) + "\n", "")
    arguments = ["stream", str(path), "--url", url, "--format", "json", "--output", str(output)]
    assert main([*arguments, "--simulate"]) == 0
    *updates, result = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    assert updates  # it grew while it was spoken
    assert result["text"] == expected.text
    assert result["tokens"] == expected.tokens
    assert [tuple(pair) for pair in result["timestamps_ms"]] == expected.timestamps_ms


def test_the_demo_client(url, speech, expected):
    demo = CLIENTS / "client_demo_paraformer_streaming.py"
    command = [sys.executable, str(demo), "--url", url, str(speech[0]), str(speech[0])]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{speech[0]}\t{expected.text}\n" * 2


def test_the_demo_client_with_a_microphone(server, speech, tmp_path_factory):
    """It hears the recording and ends cleanly; what it makes of gaps is not its business."""
    demo = CLIENTS / "client_demo_paraformer_streaming_microphone.py"
    command = [sys.executable, str(demo), "--url", f"grpc://{server.grpc_url}"]
    with virtual_microphone(tmp_path_factory.mktemp("pulse")) as microphone:
        process = subprocess.Popen(
            [*command, "--device", "pulse"],
            env=microphone.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout.readline() == "listening, Ctrl-C ends\n"
            assert microphone.play(speech[0]).wait(120) == 0
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 0, err
    assert out.rpartition("\r")[2].strip()  # the whole text, drawn last
    wait_for_open_sessions(server, 0, timeout_s=50)  # before they count as idle
    with Client(f"grpc://{server.grpc_url}") as client:  # and its session is closed
        sessions = [client.stream() for _ in range(MAX_SESSIONS)]
        for session in sessions:
            session.open()
