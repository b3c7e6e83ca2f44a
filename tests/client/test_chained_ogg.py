"""Ogg files that were joined, whatever each of them is coded in."""

from __future__ import annotations

import subprocess
import warnings

import numpy as np
import pytest
import soundfile

from asr_client import load_audio
from asr_client.audio import find_ffmpeg
from asr_client.audio.media.joints import MAX_PARTS
from asr_contract import SAMPLE_RATE

CODECS = {
    "opus": ["-c:a", "libopus"],
    "stereo": ["-ac", "2", "-c:a", "libopus"],
    "vorbis": ["-c:a", "libvorbis"],
    "vorbis44": ["-ar", "44100", "-ac", "2", "-c:a", "libvorbis"],
    "flac": ["-c:a", "flac"],
}
PITCHES_HZ = dict(zip(CODECS, (400, 700, 1000, 1500, 2000), strict=True))
PIECE_S = 0.25


@pytest.fixture(scope="module")
def links(tmp_path_factory):
    """Codec → an Ogg file of a second of a tone."""
    folder = tmp_path_factory.mktemp("links")
    made = {}
    for name, words in CODECS.items():
        tone = 0.4 * np.sin(2 * np.pi * PITCHES_HZ[name] * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
        soundfile.write(folder / f"{name}.wav", tone, SAMPLE_RATE)
        command = [find_ffmpeg(), "-v", "error", "-i", folder / f"{name}.wav", *words]
        subprocess.run([*command, folder / f"{name}.ogg"], check=True)
        made[name] = (folder / f"{name}.ogg").read_bytes()
    return made


def pitches_hz(audio: np.ndarray) -> list[int]:
    """Return the pitch of each quarter of a second, to 100 Hz."""
    size = round(PIECE_S * SAMPLE_RATE)
    pieces = audio[: len(audio) // size * size].reshape(-1, size) * np.hanning(size)
    strongest = np.argmax(np.abs(np.fft.rfft(pieces)), axis=1) / PIECE_S
    return [round(float(each), -2) for each in strongest]


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(
    "chain",
    [
        ("opus", "opus"),
        ("opus", "vorbis"),
        ("vorbis", "opus"),
        ("opus", "stereo"),
        ("vorbis", "vorbis44"),
        ("flac", "opus", "opus", "vorbis44", "stereo", "flac"),
    ],
)
def test_all_links_are_read_and_nothing_is_said(links, chain, as_bytes, tmp_path):
    joined = b"".join(links[name] for name in chain)
    (tmp_path / "joined.ogg").write_bytes(joined)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio = np.asarray(load_audio(joined if as_bytes else tmp_path / "joined.ogg"))
    assert len(audio) / SAMPLE_RATE == pytest.approx(len(chain), abs=0.001)
    assert pitches_hz(audio)[1::4] == [PITCHES_HZ[name] for name in chain]


@pytest.mark.parametrize("chain", [("flac", "flac"), ("flac", "opus"), ("opus", "opus")])
def test_what_is_behind_a_link_without_its_end_is_read(links, chain, tmp_path):
    path = tmp_path / "cut.ogg"
    path.write_bytes(links[chain[0]][:-1500] + links[chain[1]])
    with pytest.warns(UserWarning, match="part 1 of 2"):
        audio = np.asarray(load_audio(path))
    assert pitches_hz(audio[-SAMPLE_RATE:])[1:] == [PITCHES_HZ[chain[1]]] * 3


def test_more_links_than_are_read_apart_are_read_on(links):
    audio = np.asarray(load_audio((links["opus"] * (MAX_PARTS + 10)) + links["flac"]))
    assert len(audio) / SAMPLE_RATE == pytest.approx(MAX_PARTS + 11, rel=0.02)
    assert pitches_hz(audio[-SAMPLE_RATE:])[1:] == [PITCHES_HZ["flac"]] * 3
