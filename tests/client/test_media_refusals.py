"""What is no media file is refused and reads nothing else; what is damaged gives what is left."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client import AudioError, load_audio
from asr_client.audio import AudioWarning, load_recording
from tests.client.media_files import (
    CLICKS_S,
    DURATION_S,
    assert_clicks,
    click_times,
    click_track,
    decode,
    ffmpeg,
)

pytestmark = pytest.mark.usefixtures("no_process_left")


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
def test_playlists_are_refused(media_files, tmp_path, listener, name, where):
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/clicks.mp3"
    target = {
        "path": str(media_files / "clicks.mp3"),
        "file URL": f"file:{media_files / 'clicks.mp3'}",
        "http URL": address,
    }[where]
    (tmp_path / name).write_text(playlists(target)[name])
    (tmp_path / "clicks.mp3").write_bytes((media_files / "clicks.mp3").read_bytes())
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


def test_a_video_without_sound_is_refused(media_files):
    with pytest.raises(AudioError, match=r"no_audio\.mp4: expected a file with an audio track"):
        decode(media_files / "no_audio.mp4")


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


@pytest.mark.parametrize("name", ["clicks.mp3", "clicks.mkv", "faststart.mp4", "clicks.wav"])
def test_what_is_left_of_a_cut_file_is_given_with_a_warning(media_files, tmp_path, name):
    data = (media_files / name).read_bytes()
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


def test_a_claimed_duration_is_not_believed(media_files, tmp_path):
    mkv = bytearray((media_files / "clicks.mkv").read_bytes())
    place = mkv.index(b"\x44\x89\x88") + 3  # Duration, a double in milliseconds
    mkv[place : place + 8] = np.array(1e12, ">f8").tobytes()
    flac = bytearray((media_files / "clicks.flac").read_bytes())
    flac[21] |= 0x0F  # 36 bits of the number of samples
    flac[22:26] = b"\xff" * 4
    wav = bytearray((media_files / "clicks.wav").read_bytes())
    wav[4:8] = wav[40:44] = b"\xff\xff\xff\xf0"
    for data, claims in ((mkv, True), (flac, True), (wav, False)):
        waveform, media = decode(bytes(data))
        assert_clicks(waveform)
        if claims:
            assert media.duration_s > 1e5
            assert any("it may be cut off" in warning for warning in media.warnings)


def test_longer_audio_than_allowed_is_refused(media_files, tmp_path):
    with pytest.raises(AudioError, match="expected at most 3 s; the file is longer"):
        decode(media_files / "clicks.mp3", max_duration_s=3)
    with pytest.raises(AudioError, match="expected at most 3600 s"):
        load_audio(packets_apart(tmp_path))


def test_a_gap_is_filled_as_far_as_memory_is_bounded(tmp_path):
    waveform, _ = decode(packets_apart(tmp_path, gap_s=900))
    assert len(waveform) / 16000 == pytest.approx(900 + DURATION_S, abs=0.1)
    with pytest.raises(AudioError, match=r"expected gaps of .*; got one of 3000 s"):
        decode(packets_apart(tmp_path, gap_s=3000))


def packets_apart(folder: Path, gap_s: float = 32400) -> Path:
    """Write a small file with a gap of nine hours, or so, between two packets."""
    wav = click_track(folder / "clicks.wav", 16000)
    path = folder / "apart.mkv"
    apart = f"asetpts='PTS+gte(T,3)*{gap_s}/TB'"
    ffmpeg("-i", wav, "-af", apart, "-c:a", "flac", path)
    return path


def test_nan_is_refused(tmp_path):
    samples = np.zeros(16000, np.float32)
    samples[8000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"nan\.wav: expected finite samples"):
        decode(tmp_path / "nan.wav")


@pytest.mark.parametrize("name", ["aptx", "dfpwm", "sbc"])
def test_rare_codecs_are_refused_by_name(tmp_path, name):
    path = tmp_path / f"call.{name}"
    ffmpeg("-f", "lavfi", "-i", "sine", "-t", "1", "-ar", "48000", "-ac", "2", path)
    with pytest.raises(AudioError, match=r"a format that is not read, .*aptX, SBC, DFPWM"):
        decode(path)


def test_bytes_that_only_begin_like_gsm_are_refused():
    silence, speech = (
        b"\xd5" * 3300,
        bytes(range(256)) * 40,
    )  # of A-law, whose silence looks like it
    with pytest.raises(AudioError, match="the rate and the format must be told"):
        load_recording(silence + speech)


def test_sound_whose_times_overlap_is_missed(tmp_path):
    path = tmp_path / "call.rm"  # ffmpeg writes such files, in which every packet is of time 0
    ffmpeg("-f", "lavfi", "-i", "sine", "-t", "4", "-c:a", "real_144", "-ar", "8000", path)
    with pytest.warns(AudioWarning, match=r"times are broken: 3\.\d s overlap"):
        load_audio(path)


def test_a_broken_frame_of_gsm_is_said(tmp_path):
    path = tmp_path / "call.gsm"
    soundfile.write(path, np.zeros(16000), 8000, format="RAW", subtype="GSM610")
    data = bytearray(path.read_bytes())
    data[330:363] = bytes(33)
    path.write_bytes(data)
    with pytest.warns(AudioWarning, match="no frame of GSM"):
        load_audio(path)
