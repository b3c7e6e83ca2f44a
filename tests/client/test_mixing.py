"""Channels are mixed without losing what is in them, and coded files are read to their end."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from asr_client import load_audio
from asr_client.audio import load_recording
from asr_client.audio.mixing import ChannelMixer
from asr_server.places import ROOT
from tests.client.media_files import ffmpeg

RATE = 16_000
SAMPLES = ROOT / "embedded_models" / "samples"


def speech(name: str) -> np.ndarray:
    return soundfile.read(SAMPLES / f"{name}.wav", dtype="float32")[0][: 3 * RATE // 2]


ONE, OTHER = speech("zh_1"), speech("en_1")
NOISE = np.random.default_rng(0).normal(0, 0.01, (len(ONE), 2)).astype(np.float32)


def late(samples: np.ndarray, count: int) -> np.ndarray:
    return np.r_[np.zeros(count, np.float32), samples[: len(samples) - count]]


def mixed(*channels: np.ndarray, sizes: int = 100_000) -> tuple[np.ndarray, ChannelMixer]:
    frames = np.stack(channels, 1)
    mixer = ChannelMixer(RATE, len(channels))
    parts = [mixer.accept(frames[first : first + sizes]) for first in range(0, len(frames), sizes)]
    return np.concatenate([*parts, mixer.finish()]), mixer


@pytest.mark.parametrize(
    "channels",
    [
        (ONE, OTHER),
        (ONE + 0.3 * OTHER, OTHER + 0.3 * ONE),
        (ONE, 0.3 * ONE),
        (ONE + NOISE[:, 0], ONE + NOISE[:, 1]),
        (ONE, np.zeros_like(ONE), np.zeros_like(ONE)),
        (NOISE[:, 0], NOISE[:, 1]),
        (ONE, 0.1 * late(ONE, 800)),
        (ONE, OTHER, late(OTHER[::-1].copy(), 5)),
        (late(ONE, 8000) + np.float32(0.25), late(ONE, 8000) - np.float32(0.25)),
    ],
    ids=["two", "crosstalk", "panned", "noise", "silent", "only noise", "echo", "three", "offset"],
)
def test_what_does_not_cancel_is_the_mean(channels):
    out, mixer = mixed(*channels)
    np.testing.assert_allclose(out, np.mean(channels, axis=0), atol=1e-6)
    assert mixer.warning() is None


@pytest.mark.parametrize(
    "channels",
    [
        (ONE, -ONE),
        (ONE, -0.7 * ONE),
        (ONE, -late(ONE, 2)),
        (ONE + NOISE[:, 0], -ONE + NOISE[:, 1]),
        (ONE, -ONE, ONE, -ONE),
        (ONE, np.r_[ONE[: len(ONE) // 2], -ONE[len(ONE) // 2 :]]),
        (ONE, late(ONE, 8)),
        (ONE, late(ONE, 80)),
    ],
    ids=["inverted", "quieter", "late", "noisy", "four", "half", "0.5 ms", "5 ms"],
)
def test_what_cancels_is_taken_from_one_channel(channels):
    out, mixer = mixed(*channels)
    assert "cancel each other" in (mixer.warning() or "")
    assert np.sqrt(np.mean(out**2)) > 0.6 * np.sqrt(np.mean(ONE**2))


@pytest.mark.parametrize("sizes", [1, 777, 1600, 5000])
def test_pieces_of_any_size_give_the_same_mix(sizes):
    for other in (-ONE, OTHER):
        whole, _ = mixed(ONE[:8000], other[:8000])
        parts, _ = mixed(ONE[:8000], other[:8000], sizes=sizes)
        np.testing.assert_allclose(parts, whole, atol=1e-6)


@pytest.mark.parametrize("stated", [0, 8192, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_coded_wav_is_read_to_its_end_whatever_it_says(tmp_path, stated):
    soundfile.write(tmp_path / "a.wav", ONE, RATE)
    ffmpeg("-i", tmp_path / "a.wav", "-c:a", "adpcm_ms", tmp_path / "b.wav")
    data = bytearray((tmp_path / "b.wav").read_bytes())
    expected = load_audio(bytes(data))
    place = data.index(b"data") + 4
    twice = load_audio(bytes(data + data))
    assert abs(len(twice) - 2 * len(expected)) <= 1
    data[4:8] = struct.pack("<I", min(place + stated, 0xFFFFFFFF))
    data[place : place + 4] = struct.pack("<I", stated)
    assert np.array_equal(load_audio(io.BytesIO(bytes(data))), expected)


@pytest.mark.parametrize(
    "name", ["cut.mp3", "cut.mp2", "cut.ogg", "cut.opus", "cut.aac", "cut.flac"]
)
def test_a_cut_is_noticed_where_ffmpeg_says_nothing(tmp_path, name):
    soundfile.write(tmp_path / "a.wav", ONE, RATE)
    rate = ["-ar", "44100"] if name.endswith(("mp3", "mp2")) else []
    ffmpeg("-i", tmp_path / "a.wav", *rate, tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert load_recording(data).warnings == []
    assert load_recording(data[: int(0.8 * len(data)) | 1]).warnings
