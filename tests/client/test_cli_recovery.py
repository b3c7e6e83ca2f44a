"""A batch goes on when its server is lost and comes back, else it says what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client import ConnectionFailed, RequestTimeout, ServerError, ServerNotReady
from asr_client.cli import main
from asr_client.cli.recovery import ATTEMPTS
from asr_server.run import ServerFlags, TritonServer
from tests.client.test_cli import FakeClient
from tests.client.toy_repository import write_repository
from tests.serving import running

FILES = 300


class Lost(FakeClient):
    """A server that is lost at some requests.

    Attributes:
        losses: path → how many of its requests are lost.
        comes_back: whether it is ready again afterwards.
    """

    url = "grpc://h:1"

    def __init__(self, losses: dict[str, int], *, comes_back: bool) -> None:
        super().__init__({"a.wav": "一", "b.wav": "二", "c.wav": "三"})
        self.losses = dict(losses)
        self.comes_back = comes_back
        self.lost = False
        self.error: Exception = ConnectionFailed(f"{self.url}: connection refused")

    def transcribe(self, audio, **options):
        if self.losses.get(audio, 0) > 0:
            self.losses[audio] -= 1
            self.lost = True
            raise self.error
        return super().transcribe(audio, **options)

    def is_ready(self, model, *, timeout_s=5.0):
        return super().is_ready(model, timeout_s=timeout_s) and not self.lost

    def wait_ready(self, timeout_s, *, model=None):
        if not self.comes_back:
            raise ServerNotReady(f"not ready within {timeout_s} s")
        self.lost = False


def transcribe(client: FakeClient, *arguments: str) -> int:
    files = ["transcribe", "a.wav", "b.wav", "c.wav", "--concurrency", "1"]
    return main([*files, *arguments], client_factory=client)


def test_the_batch_waits_and_goes_on(capsys):
    assert transcribe(Lost({"b.wav": 1}, comes_back=True)) == 0
    out, err = capsys.readouterr()
    assert out == "a.wav\t一\nb.wav\t二\nc.wav\t三\n"
    gone, back = err.splitlines()
    assert "the server is gone (grpc://h:1: connection refused); waiting up to 120 s" in gone
    assert "the server is back" in back


@pytest.mark.parametrize(
    "said",
    [
        "vad_encoder: Error when running inference: Server not ready",
        "in ensemble 'sensevoice', Server is stopping, scheduler for model has stopped accepting",
    ],
)
def test_what_a_server_says_while_it_ends_is_no_failure_of_a_recording(capsys, said):
    client = Lost({"b.wav": 1}, comes_back=True)
    client.error = ServerError(f"b.wav: detection of speech: {said}", server_message=said)
    assert transcribe(client) == 0
    assert capsys.readouterr().out == "a.wav\t一\nb.wav\t二\nc.wav\t三\n"


@pytest.mark.parametrize("answers", [False, True])
def test_a_time_out_is_waited_out_if_the_server_does_not_answer(capsys, answers):
    client = Lost({"b.wav": 1}, comes_back=True)
    client.error = RequestTimeout("no answer within 60 s")
    if answers:
        client.is_ready = lambda model, *, timeout_s=5.0: model != "vad"
    assert transcribe(client) == (1 if answers else 0)
    assert ("b.wav: no answer" in capsys.readouterr().err) == answers


def test_a_recording_that_ends_the_server_each_time_fails_alone(capsys):
    assert transcribe(Lost({"b.wav": ATTEMPTS}, comes_back=True)) == 1
    out, err = capsys.readouterr()
    assert out == "a.wav\t一\nc.wav\t三\n"
    assert err.splitlines()[-2:] == ["b.wav: grpc://h:1: connection refused", "1 of 3 files failed"]


@pytest.mark.parametrize("folder", [True, False])
def test_a_server_that_stays_away_ends_the_batch_with_one_line(capsys, tmp_path, folder):
    where = ["--output-dir", str(tmp_path)] if folder else ["--output", str(tmp_path / "out")]
    client = Lost({"b.wav": 1}, comes_back=False)
    assert transcribe(client, "--server-wait", "0.1", *where) == 3
    told = capsys.readouterr().err.splitlines()[-1]
    assert "was not back within 0.1 s" in told
    assert "2 of 3 files are left" in told
    if folder:
        assert told.endswith("the same command goes on with them")
        assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
        assert transcribe(Lost({}, comes_back=True), *where) == 0
        assert "1 of 3 files are done already" in capsys.readouterr().err
    else:
        assert (tmp_path / "out").read_text(encoding="utf-8") == "a.wav\t一\n"


def test_nobody_waits_who_does_not_want_to(capsys):
    assert transcribe(Lost({"b.wav": 1}, comes_back=False), "--server-wait", "0") == 3
    assert "waiting" not in capsys.readouterr().err


def test_a_real_server_that_is_killed_and_started_again(tmp_path):
    """All files are answered, once, in their order."""
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for number in range(FILES):
        soundfile.write(recordings / f"{number:03d}.wav", np.zeros(100 + number), 16000)
    repository = write_repository(tmp_path / "repository")
    flags = ServerFlags(exit_timeout_s=3)
    with running(TritonServer([repository], log=tmp_path / "1.log", flags=flags)) as server:
        http, grpc = (int(url.rpartition(":")[2]) for url in (server.http_url, server.grpc_url))
        command = [sys.executable, "-m", "asr_client", "transcribe", str(recordings), "--no-vad"]
        process = subprocess.Popen(
            [*command, "--model", "toy", "--format", "json", "--url", f"grpc://{server.grpc_url}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline()]
        os.kill(server.pid, signal.SIGKILL)
        assert "the server is gone" in process.stderr.readline()
    again = TritonServer(
        [repository], log=tmp_path / "2.log", flags=flags, http_port=http, grpc_port=grpc
    )
    with running(again):
        # Not `communicate`, which forgets what `readline` had read ahead.
        out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(120) == 0, err
    records = [json.loads(line) for line in [*lines, *out.splitlines()]]
    assert [Path(record["file"]).stem for record in records] == [f"{n:03d}" for n in range(FILES)]
    assert [record["text"] for record in records] == [str(100 + n) for n in range(FILES)]
