"""A header that is broken is refused, or the samples behind it are read; nothing else happens."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest

from asr_client import AudioError
from asr_client.audio import MediaDecoder, load_recording
from asr_client.audio.containers import NotUncompressed
from asr_client.audio.uncompressed import UncompressedFile
from tests import odd_audio
from tests.odd_audio import int16
from tests.odd_containers import aiff, au, caf, rf64, wav, wav_form, wave64

TONE = np.sin(np.arange(8000) / 7).astype(np.float32) / 2
PCM = int16(TONE).tobytes()
MONO = wav_form(1, 16000, 1, 16)
FILES = {
    "wav": wav(MONO, PCM),
    "rf64": rf64(MONO, PCM),
    "w64": wave64(MONO, PCM),
    "aiff": aiff(16000, 1, 16, PCM),
    "au": au(16000, 1, 3, PCM),
    "caf": caf(16000, 1, 16, PCM),
}


@pytest.mark.parametrize("kind", FILES)
def test_any_bytes_of_a_header_may_be_broken(kind):
    rng = np.random.default_rng(sum(map(ord, kind)))
    for _ in range(300):
        data = bytearray(FILES[kind])
        for _ in range(int(rng.integers(1, 6))):
            data[int(rng.integers(4, 100))] = int(rng.choice([0, 1, 0x7F, 0xFF, *range(256)]))
        try:
            file = UncompressedFile(io.BytesIO(bytes(data)))
            for frames, rate in file.frames():
                assert frames.dtype == np.float32 and isinstance(rate, int)
        except (NotUncompressed, AudioError):
            pass


def test_a_rate_beyond_all_numbers_is_refused():
    data = bytearray(FILES["aiff"])
    place = data.find(b"COMM") + 16
    data[place : place + 2] = b"\x7f\xff"
    with pytest.raises(AudioError, match="sample_rate"):
        load_recording(bytes(data))


@pytest.fixture(scope="module")
def coded(tmp_path_factory) -> dict[str, bytes]:
    """A second of a tone in coded files."""
    folder = tmp_path_factory.mktemp("coded")
    source = folder / "source.wav"
    source.write_bytes(wav(MONO, int16(np.tile(TONE, 2)).tobytes()))
    found = {}
    for name in ("webm", "m4a", "flac", "flv", "avi"):
        odd_audio.ffmpeg(
            "-i", source, "-ar", 48000 if name == "webm" else 44100, folder / f"a.{name}"
        )
        found[name] = (folder / f"a.{name}").read_bytes()
    return found


def read(path: Path) -> tuple[float, list[str]]:
    """The seconds of a file, and what is said of it; the same by both readers."""

    async def by_blocks():
        async with MediaDecoder(path) as media:
            return sum([len(block) async for block in media]), media.warnings

    samples, warnings = asyncio.run(by_blocks())
    loaded = load_recording(path)
    assert (len(loaded.waveform), loaded.warnings) == (samples, warnings)
    return samples / 16000, warnings


def test_each_of_joined_files_is_decoded(coded, tmp_path):
    for name, data in coded.items():
        path = tmp_path / name
        path.write_bytes(data * 3)
        seconds, warnings = read(path)
        assert abs(seconds - 3) < 0.2 and warnings == [], name


def test_a_cut_in_the_second_of_joined_files_is_said(coded, tmp_path):
    for name in ("avi", "flac", "webm"):
        path = tmp_path / name
        path.write_bytes(coded[name] + coded[name][: len(coded[name]) // 2])
        assert any("part 2 of 2" in warning for warning in read(path)[1]), name


def test_what_cannot_be_read_of_joined_files_is_said(coded, tmp_path):
    data = coded["webm"]
    path = tmp_path / "joined.webm"
    path.write_bytes(data + data[:200] + data + data[: len(data) // 2])
    seconds, warnings = read(path)
    assert 2.3 < seconds < 2.7
    about = [warning.partition(":")[0] for warning in warnings]
    assert about == ["part 2 of 4 cannot be read", "part 4 of 4", "part 4 of 4"]
    assert str(path) not in "".join(warnings)


def test_only_so_many_joined_files_are_decoded(coded, tmp_path, monkeypatch):
    monkeypatch.setattr("asr_client.audio.media.joints.MAX_PARTS", 2)
    path = tmp_path / "joined.flac"
    path.write_bytes(coded["flac"] * 3)
    assert read(path) == (2.0, ["3 files are joined, of which the first 2 were read"])


def test_a_flac_that_says_too_little_is_read_whole(coded, tmp_path):
    data = bytearray(coded["flac"])
    data[21:26] = (data[21] >> 4 << 36 | 4410).to_bytes(5, "big")
    path = tmp_path / "short.flac"
    path.write_bytes(data)
    assert read(path) == (1.0, [])
