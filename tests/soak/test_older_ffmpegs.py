"""The ffmpegs that older imageio-ffmpeg wheels bring read every container as the newest does."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

from asr_client.audio.media import find_ffmpeg
from tests.client.media_files import assert_clicks, click_track, decode, ffmpeg
from tests.client.test_media import CONTAINERS

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module", params=["0.4.9", "0.6.0"])
def older_ffmpeg(request, tmp_path_factory):
    """A folder with the program `ffmpeg` of that wheel: 4.2.2 and 7.0.2."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = [f"imageio-ffmpeg=={request.param}", "--no-deps", "--only-binary", ":all:"]
    pip = [sys.executable, "-m", "pip", "download", "-q", *wheel, "-d", str(folder)]
    subprocess.run(pip, check=True, timeout=300)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        (name,) = (each for each in archive.namelist() if "/binaries/ffmpeg-" in each)
        archive.extract(name, folder)
    program = folder / "ffmpeg"
    (folder / name).rename(program)
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("container", CONTAINERS)
def test_clicks_stay_where_they_are(older_ffmpeg, monkeypatch, tmp_path, container):
    wav = click_track(tmp_path / "original.wav", 48000, 2)
    path = tmp_path / f"clicks.{container}"
    ffmpeg("-i", wav, *CONTAINERS[container], path)
    monkeypatch.setenv("PATH", str(older_ffmpeg), prepend=":")
    assert find_ffmpeg() == str(older_ffmpeg / "ffmpeg")
    waveform, media = decode(path)
    assert_clicks(waveform, tolerance_s=0.07)
    assert media.warnings == []
