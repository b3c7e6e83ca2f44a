"""What tests of clients share: a server with a streaming model that is none, and media files."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import soundfile

from asr_server.run import ServerFlags, TritonServer
from tests.client.local_models import bursts
from tests.client.media_files import DURATION_S, children, click_track, ffmpeg, pictures
from tests.client.sides import Side
from tests.client.toy_streaming import Received, Toy, write_repository
from tests.serving import running


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    work = tmp_path_factory.mktemp("toy-stream")
    repository = write_repository(work / "repository")
    flags = ServerFlags(exit_timeout_s=3)
    with running(TritonServer([repository], log=work / "server.log", flags=flags)) as server:
        yield Toy(server, Received(repository))


@pytest.fixture
def no_process_left():
    """The test leaves no process behind."""
    before = set(children())
    yield
    _, left = psutil.wait_procs(set(children()) - before, timeout=60)
    assert not left


@pytest.fixture(scope="session")
def talk(tmp_path_factory) -> Path:
    """Eight bursts in 26 s."""
    path = tmp_path_factory.mktemp("talk") / "talk.flac"
    soundfile.write(path, bursts(8), 16_000)
    return path


@pytest.fixture(scope="session")
def media_files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    wav = click_track(folder / "clicks.wav", 48000)
    mp4 = ["-c:v", "libx264", "-c:a", "aac"]
    ffmpeg(*pictures(DURATION_S), "-i", wav, *mp4, folder / "index_at_end.mp4")
    ffmpeg(
        *pictures(DURATION_S), "-i", wav, *mp4, "-movflags", "+faststart", folder / "faststart.mp4"
    )
    late = ["-itsoffset", "0.7", "-i", wav]
    ffmpeg(*pictures(DURATION_S), *late, *mp4, folder / "late_audio.mp4")
    ffmpeg(*pictures(DURATION_S), *late, *mp4, folder / "late_audio.mkv")
    ffmpeg(*pictures(DURATION_S, 0.7), "-i", wav, *mp4, folder / "late_pictures.mp4")
    ffmpeg(*pictures(DURATION_S), folder / "no_audio.mp4")
    ffmpeg("-i", wav, folder / "clicks.mp3")
    ffmpeg("-i", wav, folder / "clicks.m4a")
    ffmpeg("-i", wav, "-c:a", "flac", folder / "clicks.flac")
    ffmpeg("-i", wav, "-c:a", "libopus", folder / "clicks.mkv")
    return folder


@pytest.fixture(params=["grpc", "grpc-async", "http", "http-async"])
def side(request) -> Side:
    return Side(request.param)
