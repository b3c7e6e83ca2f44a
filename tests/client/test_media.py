"""Media files of any container become 16 kHz mono, at the right times, safely."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import pytest
import soundfile

from asr_client import AudioError, load_audio
from asr_client.loading import load_audio_async
from asr_client.media import BLOCK_SAMPLES, MediaDecoder, find_ffmpeg
from asr_client.media.log import MAX_LINE_BYTES, FfmpegLog
from tests.client.media_files import (
    CLICKS_S,
    DURATION_S,
    click_times,
    click_track,
    endless_wav,
    ffmpeg,
    pictures,
)

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


def children() -> list[psutil.Process]:
    """Return the processes that this one has started and that still run, but for test servers."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "triton" not in child.name() and child.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture(autouse=True)
def nothing_left_running():
    before = set(children())
    yield
    _, left = psutil.wait_procs(set(children()) - before, timeout=60)
    assert not left


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
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


async def collect(source, **options) -> tuple[np.ndarray, MediaDecoder]:
    async with MediaDecoder(source, **options) as media:
        blocks = [block async for block in media]
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    assert all(len(block) == BLOCK_SAMPLES for block in blocks[:-1])
    assert all(len(block) > 0 for block in blocks)
    return np.concatenate(blocks), media


def decode(source, **options) -> tuple[np.ndarray, MediaDecoder]:
    return asyncio.run(collect(source, **options))


def assert_clicks(waveform: np.ndarray, shift_s: float = 0.0, tolerance_s: float = 0.02) -> None:
    times = click_times(waveform)
    assert len(times) == len(CLICKS_S), times
    np.testing.assert_allclose(times, np.array(CLICKS_S) + shift_s, atol=tolerance_s)


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
def test_the_sound_of_a_video(files, name):
    waveform, media = decode(files / name)
    assert_clicks(waveform)
    assert media.warnings == []


@pytest.mark.parametrize("name", ["late_audio.mp4", "late_audio.mkv"])
def test_sound_that_begins_after_the_picture_keeps_its_time(files, name):
    waveform, _ = decode(files / name)
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
    assert_clicks(decode(path)[0])


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_mixing_down_keeps_the_level(tmp_path, channels):
    times = np.arange(32000) / 16000
    tone = 0.5 * np.sin(2 * np.pi * 440 * times)
    soundfile.write(tmp_path / "tone.wav", np.repeat(tone[:, None], channels, axis=1), 16000)
    waveform, _ = decode(tmp_path / "tone.wav")
    # Six channels are those of a cinema; its bass channel is left out of the mix.
    np.testing.assert_allclose(waveform, tone, atol=2e-3)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_file_objects(files, kind):
    data = (files / "index_at_end.mp4").read_bytes()
    assert_clicks(decode(kind(data))[0])


def test_a_pipe_that_cannot_be_rewound(files):
    with subprocess.Popen(["cat", files / "index_at_end.mp4"], stdout=subprocess.PIPE) as cat:
        assert_clicks(decode(cat.stdout)[0])


def test_file_objects_that_cannot_be_used():
    with pytest.raises(AudioError, match="binary mode"):
        decode(io.StringIO("text"))
    with pytest.raises(AudioError, match="the file is empty"):
        decode(io.BytesIO())

    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(AudioError, match="the file object: Input/output error"):
        decode(Broken())


@pytest.mark.parametrize(
    "name",
    ["-i", "http:clicks.mp3", "pipe:0", "concat:a|b.mp3", "a%03d.mp3", "a b'\"\n.mp3", "声音.mp3"],
)
def test_a_name_is_only_a_name(files, tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes((files / "clicks.mp3").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert_clicks(decode(name)[0])


# Things that are no media file --------------------------------------------------------------


@pytest.fixture
def listener():
    """A local port that notes whether anybody connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def playlists(target: str) -> dict[str, str]:
    return {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        "list.mp3": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{target}'\n",
        "list.wav": f"ffconcat version 1.0\nfile '{target}'\n",
        "list.mpd": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' "
        "type='static' mediaPresentationDuration='PT6S'><Period><AdaptationSet>"
        f"<Representation id='0' mimeType='audio/mp4' codecs='mp4a.40.2'><BaseURL>{target}"
        "</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "list.pls": f"[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    }


@pytest.mark.parametrize("name", playlists(""))
@pytest.mark.parametrize("where", ["path", "file URL", "http URL"])
def test_playlists_are_refused(files, tmp_path, listener, name, where):
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/clicks.mp3"
    target = {
        "path": str(files / "clicks.mp3"),
        "file URL": f"file:{files / 'clicks.mp3'}",
        "http URL": address,
    }[where]
    (tmp_path / name).write_text(playlists(target)[name])
    (tmp_path / "clicks.mp3").write_bytes((files / "clicks.mp3").read_bytes())
    with pytest.raises(AudioError, match=r"playlist|something else or a broken file"):
        decode(tmp_path / name)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_session_description_is_refused(tmp_path, listener):
    (tmp_path / "a.sdp").write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
    )
    with pytest.raises(AudioError, match="session description"):
        decode(tmp_path / "a.sdp")


@pytest.mark.parametrize("name", ["text.mp3", "text.wav", "text.txt", "text.mp4", "text"])
def test_text_is_refused(tmp_path, name):
    (tmp_path / name).write_text("This is a text, and nobody speaks.\n" * 200)
    with pytest.raises(AudioError, match=r"something else or a broken file|such as a text"):
        decode(tmp_path / name)


def test_a_picture_is_refused(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1", tmp_path / "a.png")
    with pytest.raises(AudioError, match="pictures"):
        decode(tmp_path / "a.png")


def test_a_video_without_sound_is_refused(files):
    with pytest.raises(AudioError, match=r"no_audio\.mp4: expected a file with an audio track"):
        decode(files / "no_audio.mp4")


def test_paths_that_cannot_be_read(tmp_path):
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "fifo.mp4")
    cases = {
        tmp_path / "empty.mp4": r"empty\.mp4: the file is empty",
        tmp_path / "missing.mp4": r"missing\.mp4: No such file",
        tmp_path: "Is a directory",
        tmp_path / "fifo.mp4": "expected a regular file; got a pipe",
        Path("/dev/zero"): "expected a regular file",
        "a\0b": "null",
        "http://127.0.0.1/a.mp3": "No such file",
    }
    for path, message in cases.items():
        for read in (decode, load_audio):
            with pytest.raises(AudioError, match=message):
                read(path)


# Files that are damaged or lie --------------------------------------------------------------


@pytest.mark.parametrize("name", ["clicks.mp3", "clicks.mkv", "faststart.mp4", "clicks.wav"])
def test_what_is_left_of_a_cut_file_is_given_with_a_warning(files, tmp_path, name):
    data = (files / name).read_bytes()
    # The sound of faststart.mp4 is a small part of it, and near its end.
    kept = 0.6 if name != "faststart.mp4" else 0.93
    (tmp_path / name).write_bytes(data[: int(kept * len(data))])
    waveform, media = decode(tmp_path / name)
    assert 1 < len(waveform) / 16000 < DURATION_S
    assert click_times(waveform)[:2] == pytest.approx(CLICKS_S[:2], abs=0.02)
    assert any("cut off" in warning or "damaged" in warning for warning in media.warnings)


def test_a_file_cut_off_before_its_index_is_refused(tmp_path):
    times = np.arange(48000 * 20) / 48000
    noise = np.random.default_rng(0).normal(0, 0.1, times.size)
    soundfile.write(tmp_path / "noise.wav", noise, 48000)
    ffmpeg("-i", tmp_path / "noise.wav", tmp_path / "noise.m4a")
    data = (tmp_path / "noise.m4a").read_bytes()
    with pytest.raises(AudioError, match=r"broken file.*moov atom not found"):
        decode(data[: len(data) // 2])


def test_a_claimed_duration_is_not_believed(files, tmp_path):
    mkv = bytearray((files / "clicks.mkv").read_bytes())
    place = mkv.index(b"\x44\x89\x88") + 3  # Duration, a double in milliseconds
    mkv[place : place + 8] = np.array(1e12, ">f8").tobytes()
    flac = bytearray((files / "clicks.flac").read_bytes())
    flac[21] |= 0x0F  # 36 bits of the number of samples
    flac[22:26] = b"\xff" * 4
    wav = bytearray((files / "clicks.wav").read_bytes())
    wav[4:8] = wav[40:44] = b"\xff\xff\xff\xf0"
    for data, claims in ((mkv, True), (flac, True), (wav, False)):
        waveform, media = decode(bytes(data))
        assert_clicks(waveform)
        if claims:
            assert media.duration_s > 1e5
            assert any("it may be cut off" in warning for warning in media.warnings)


def test_longer_audio_than_allowed_is_refused(files, tmp_path):
    with pytest.raises(AudioError, match="expected at most 3 s; the file is longer"):
        decode(files / "clicks.mp3", max_duration_s=3)
    with pytest.raises(AudioError, match="expected at most 3600 s"):
        load_audio(packets_apart(tmp_path))


def packets_apart(folder: Path) -> Path:
    """Write a small file with a gap of nine hours between two packets."""
    wav = click_track(folder / "clicks.wav", 16000)
    path = folder / "apart.mkv"
    apart = "asetpts='PTS+gte(T,3)*32400/TB'"
    ffmpeg("-i", wav, "-af", apart, "-c:a", "flac", path)
    return path


def test_nan_is_refused(tmp_path):
    samples = np.zeros(16000, np.float32)
    samples[8000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"nan\.wav: expected finite samples"):
        decode(tmp_path / "nan.wav")


# Supervision --------------------------------------------------------------------------------


def test_memory_is_bounded_and_nothing_is_decoded_ahead(tmp_path):
    path = endless_wav(tmp_path / "hours.wav", 9)

    async def take_a_little() -> None:
        async with MediaDecoder(path) as media:
            assert media.duration_s == pytest.approx(9 * 3600)
            blocks = aiter(media)
            before = psutil.Process().memory_info().rss
            for _ in range(3):
                assert len(await anext(blocks)) == BLOCK_SAMPLES
            (child,) = children()
            used_s = -1.0
            while used_s != sum(child.cpu_times()[:2]):  # until it waits for us
                used_s = sum(child.cpu_times()[:2])
                await asyncio.sleep(1)
            assert child.io_counters().read_chars < path.stat().st_size / 10
            assert psutil.Process().memory_info().rss - before < 20e6
            assert child.memory_info().rss < 400e6
            await blocks.aclose()

    asyncio.run(take_a_little())


def test_leaving_in_any_way_stops_ffmpeg(tmp_path):
    path = endless_wav(tmp_path / "hours.wav", 9)

    async def leave(how: str) -> None:
        async with MediaDecoder(path) as media:
            assert len(children()) == 1
            async for _ in media:
                if how == "break":
                    break
                if how == "exception":
                    raise KeyError(how)
                if how == "cancel":
                    asyncio.current_task().cancel()
        assert children() == []

    asyncio.run(leave("break"))
    with pytest.raises(KeyError):
        asyncio.run(leave("exception"))
    assert children() == []
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(leave("cancel"))
    assert children() == []


def test_many_at_a_time(files):
    async def all_of_them() -> list[np.ndarray]:
        names = ["clicks.mp3", "index_at_end.mp4", "late_audio.mkv", "no_audio.mp4"] * 3
        return await asyncio.gather(
            *(collect(files / name) for name in names), return_exceptions=True
        )

    results = asyncio.run(all_of_them())
    for index, shift_s in ((0, 0.0), (1, 0.0), (2, 0.7)):
        for result in results[index::4]:
            assert_clicks(result[0], shift_s)
    assert all(isinstance(result, AudioError) for result in results[3::4])


def fake_ffmpeg(folder: Path, script: str, monkeypatch) -> None:
    """Put a shell script in the place of ffmpeg."""
    path = folder / "bin" / "ffmpeg"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")


def test_an_ffmpeg_that_hangs_is_given_up(files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "exec sleep 1000", monkeypatch)
    with pytest.raises(AudioError, match=r"ffmpeg gave nothing for 0\.5 s"):
        decode(files / "clicks.mp3", stall_timeout_s=0.5)


def test_an_ffmpeg_that_crashes_is_reported(files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "kill -SEGV $$", monkeypatch)
    with pytest.raises(AudioError, match=r"ffmpeg crashed or was killed \(signal 11\)"):
        decode(files / "clicks.mp3")


def test_a_flood_of_messages_is_bounded(files, tmp_path, monkeypatch):
    flood = "head -c 30000000 /dev/zero | tr '\\0' x >&2; yes '[error] bad' | head -100000 >&2"
    fake_ffmpeg(tmp_path, flood, monkeypatch)
    with pytest.raises(AudioError, match=r"broken file \(bad\)") as caught:
        decode(files / "clicks.mp3")
    assert len(str(caught.value)) < 500


def test_cancelling_a_load_stops_ffmpeg(files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "exec sleep 1000", monkeypatch)

    async def cancel_it() -> None:
        task = asyncio.create_task(load_audio_async(files / "clicks.m4a"))
        while not children():
            await asyncio.sleep(0.05)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_it())
    assert children() == []


def test_ffmpeg_ends_with_a_parent_that_is_killed(tmp_path):
    path = endless_wav(tmp_path / "hours.wav", 9)
    script = (
        "import asyncio, sys, psutil\n"
        "from asr_client.media import MediaDecoder\n"
        "async def main():\n"
        "    async with MediaDecoder(sys.argv[1]) as media:\n"
        "        async for block in media:\n"
        "            print(psutil.Process().children()[0].pid, flush=True)\n"
        "            await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(signal.SIGKILL)
        child.wait(timeout=30)


# ffmpeg and its log -------------------------------------------------------------------------


def test_ffmpeg_on_the_path_goes_before_the_wheel(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find_ffmpeg() == imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(AudioError, match="needs ffmpeg; got none: install"):
        find_ffmpeg()
    fake_ffmpeg(tmp_path, "", monkeypatch)
    assert find_ffmpeg() == str(tmp_path / "bin" / "ffmpeg")


def test_the_log_is_read_in_pieces_of_any_size():
    text = (
        b"[warning] Estimating duration from bitrate, this may be inaccurate\n"
        b"[info]     title           : [info]   Duration: 99:00:00.00, start: 0\n"
        b"[info]   Duration: 01:02:03.50, start: 0.025057, bitrate: 64 kb/s\n"
        b"[Parsed_ashowinfo_3 @ 0x5581] [info] n:0 pts:11200 pts_time:0.7 fmt:flt\n"
        b"[mov @ 0x55] [error] moov atom not found\n[fatal] Error opening input: bad\n"
        b"[mov @ 0x56] [error] moov atom not found\n"
    )
    for size in (1, 7, len(text)):
        log = FfmpegLog()
        for first in range(0, len(text), size):
            log.feed(text[first : first + size])
        assert log.duration_s == 3723.5
        assert log.start_s == 0.7
        assert log.estimated
        assert log.problems == ["moov atom not found"]


def test_the_log_bounds_what_it_keeps():
    log = FfmpegLog()
    for number in range(1000):
        log.feed(b"[error] " + str(number).encode() + b"x" * 10_000 + b"\n")
    assert len(log.problems) < 20
    assert all(len(problem) <= MAX_LINE_BYTES for problem in log.problems)


# Whole recordings ---------------------------------------------------------------------------


def test_load_audio_takes_what_libsndfile_cannot_read(files):
    path = files / "clicks.m4a"
    expected, _ = decode(path)
    for source in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(load_audio(source), expected)
        np.testing.assert_array_equal(asyncio.run(load_audio_async(source)), expected)
    np.testing.assert_array_equal(load_audio(io.BytesIO(path.read_bytes())), expected)
    with pytest.raises(AudioError, match="says its sample rate itself"):
        load_audio(path, sample_rate=48000)


def test_load_audio_inside_a_running_loop(files):
    async def in_a_notebook() -> np.ndarray:
        return load_audio(files / "clicks.m4a")

    assert_clicks(asyncio.run(in_a_notebook()))


def test_both_readers_agree(files):
    by_ffmpeg, _ = decode(files / "clicks.flac")
    by_libsndfile = load_audio(files / "clicks.flac")
    assert len(by_ffmpeg) == len(by_libsndfile)
    np.testing.assert_allclose(by_ffmpeg, by_libsndfile, atol=0.05)


def test_without_ffmpeg_other_files_are_still_read(files, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert_clicks(load_audio(files / "clicks.wav"))
    with pytest.raises(AudioError, match="needs ffmpeg"):
        load_audio(files / "clicks.m4a")
