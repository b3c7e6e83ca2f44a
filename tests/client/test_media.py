"""Media files of any container, decoded: times, levels, tracks, sources."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from asr_client import AudioError, load_audio
from asr_client.audio.loading import load_recording_async
from tests.client.media_files import (
    CLICKS_S,
    DURATION_S,
    assert_clicks,
    click_times,
    click_track,
    decode,
    ffmpeg,
    pictures,
)

pytestmark = pytest.mark.usefixtures("no_process_left")

# How each container is made from a wav.
CONTAINERS = {
    "wav": [],
    "mp3": [],
    "m4a": [],
    "flac": [],
    "ogg": ["-c:a", "libvorbis"],
    "opus": [],
    "webm": ["-c:a", "libopus"],
    "mkv": ["-c:a", "aac"],
    "wma": [],
    "ts": ["-c:a", "mp2"],
}


@pytest.mark.parametrize(
    ("container", "rate", "channels"),
    [
        (container, rate, channels)
        for container in CONTAINERS
        for rate, channels in [(8000, 1), (16000, 2), (44100, 1), (48000, 2)]
        if (container, rate) != ("ts", 8000)  # MPEG audio layer 2 has no 8 kHz
    ],
)
def test_clicks_stay_where_they_are(tmp_path, container, rate, channels):
    wav = click_track(tmp_path / "original.wav", rate, channels)
    path = tmp_path / f"clicks.{container}"
    ffmpeg("-i", wav, *CONTAINERS[container], path)
    waveform, media = decode(path)
    # Two encoders delay by a frame or so and have no place to say it; AAC's first frame in mkv is
    # not skipped by ffmpeg 7 and older.
    tolerance_s = {"ts": 0.032, "wma": 0.07, "mkv": 0.02 + 1024 / rate}.get(container, 0.02)
    assert_clicks(waveform, tolerance_s=tolerance_s)
    assert len(waveform) / 16000 == pytest.approx(DURATION_S, abs=0.15)
    assert media.duration_s == pytest.approx(DURATION_S, abs=0.2)
    assert media.decoded_s == len(waveform) / 16000
    assert media.warnings == []


@pytest.mark.parametrize("name", ["index_at_end.mp4", "faststart.mp4", "late_pictures.mp4"])
def test_the_sound_of_a_video(media_files, name):
    waveform, media = decode(media_files / name)
    assert_clicks(waveform)
    assert media.warnings == []


@pytest.mark.parametrize("name", ["late_audio.mp4", "late_audio.mkv"])
def test_sound_that_begins_after_the_picture_keeps_its_time(media_files, name):
    waveform, _ = decode(media_files / name)
    assert_clicks(waveform, shift_s=0.7)


def test_a_gap_between_packets_becomes_silence(tmp_path):
    wav = click_track(tmp_path / "clicks.wav", 48000)
    hole = "aselect='not(between(t,2,2.9))'"
    ffmpeg("-i", wav, "-af", hole, "-c:a", "flac", tmp_path / "gap.mkv")
    assert_clicks(decode(tmp_path / "gap.mkv")[0])


def test_a_stream_that_changes_its_form_loses_nothing(tmp_path):
    joined = b""
    for rate, channels in [(48000, 1), (16000, 2)]:
        wav = click_track(tmp_path / "clicks.wav", rate, channels)
        ffmpeg("-i", wav, "-c:a", "mp2", tmp_path / "clicks.ts")
        joined += (tmp_path / "clicks.ts").read_bytes()
    waveform, _ = decode(joined)
    assert len(click_times(waveform)) == 2 * len(CLICKS_S)
    assert len(waveform) / 16000 == pytest.approx(2 * DURATION_S, abs=0.1)


def test_the_first_of_several_audio_tracks_is_taken(tmp_path):
    wav = click_track(tmp_path / "clicks.wav", 16000)
    silence = ["-f", "lavfi", "-i", "anullsrc=d=6"]
    path = tmp_path / "two.mkv"
    ffmpeg(*pictures(6), "-i", wav, *silence, "-map", "0", "-map", "1", "-map", "2", path)
    waveform, media = decode(path)
    assert_clicks(waveform)
    assert media.warnings == ["the file has 2 audio tracks, of which the first was read"]


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_mixing_down_keeps_the_level(tmp_path, channels):
    times = np.arange(32000) / 16000
    tone = 0.5 * np.sin(2 * np.pi * 440 * times)
    soundfile.write(tmp_path / "tone.wav", np.repeat(tone[:, None], channels, axis=1), 16000)
    waveform, _ = decode(tmp_path / "tone.wav")
    # Six channels are those of a cinema; its bass channel is left out of the mix.
    np.testing.assert_allclose(waveform, tone, atol=2e-3)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_file_objects(media_files, kind):
    data = (media_files / "index_at_end.mp4").read_bytes()
    assert_clicks(decode(kind(data))[0])


def test_a_pipe_that_cannot_be_rewound(media_files):
    with subprocess.Popen(["cat", media_files / "index_at_end.mp4"], stdout=subprocess.PIPE) as cat:
        assert_clicks(decode(cat.stdout)[0])


def test_file_objects_that_cannot_be_used():
    with pytest.raises(AudioError, match="binary mode"):
        decode(io.StringIO("text"))
    with pytest.raises(AudioError, match="the file is empty"):
        decode(io.BytesIO())
    for source in (np.zeros(16000, np.float32), [0.0] * 16000, None):
        with pytest.raises(AudioError, match=rf"to be read as a file; got {type(source).__name__}"):
            decode(source)

    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(AudioError, match="the file object: Input/output error"):
        decode(Broken())


@pytest.mark.parametrize(
    "name",
    ["-i", "http:clicks.mp3", "pipe:0", "concat:a|b.mp3", "a%03d.mp3", "a b'\"\n.mp3", "声音.mp3"],
)
def test_a_name_is_only_a_name(media_files, tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes((media_files / "clicks.mp3").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert_clicks(decode(name)[0])


def test_load_audio_takes_what_libsndfile_cannot_read(media_files):
    path = media_files / "clicks.m4a"
    expected, _ = decode(path)
    for source in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(load_audio(source), expected)
        np.testing.assert_array_equal(asyncio.run(load_recording_async(source)).waveform, expected)
    np.testing.assert_array_equal(load_audio(io.BytesIO(path.read_bytes())), expected)
    with pytest.raises(AudioError, match="says its sample rate itself"):
        load_audio(path, sample_rate=48000)


def test_load_audio_inside_a_running_loop(media_files):
    async def in_a_notebook() -> np.ndarray:
        return load_audio(media_files / "clicks.m4a")

    assert_clicks(asyncio.run(in_a_notebook()))


def test_both_readers_agree(media_files):
    by_ffmpeg, _ = decode(media_files / "clicks.flac")
    by_libsndfile = load_audio(media_files / "clicks.flac")
    assert len(by_ffmpeg) == len(by_libsndfile)
    np.testing.assert_allclose(by_ffmpeg, by_libsndfile, atol=0.05)


def test_without_ffmpeg_other_files_are_still_read(media_files, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert_clicks(load_audio(media_files / "clicks.wav"))
    with pytest.raises(AudioError, match="needs ffmpeg"):
        load_audio(media_files / "clicks.m4a")
