"""A header that is broken is refused, or the samples behind it are read; nothing else happens."""

from __future__ import annotations

import asyncio
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client import AudioError
from asr_client.audio import MediaDecoder, load_recording
from asr_client.audio.containers import NotUncompressed
from asr_client.audio.uncompressed import UncompressedFile
from asr_client.streaming.audio import LiveReader
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
    "aiff": aiff(16000, 1, 16, np.frombuffer(PCM, "<i2").astype(">i2").tobytes()),
    "au": au(16000, 1, 3, np.frombuffer(PCM, "<i2").astype(">i2").tobytes()),
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


@pytest.mark.parametrize(("tag", "bits", "block"), [(1, 16, 4), (1, 16, 3), (1, 16, 0), (1, 16, 1)])
def test_bits_go_before_the_size_of_a_block(tag, bits, block):
    form = struct.pack("<HHIIHH", tag, 1, 16000, 32000, block, bits)
    expected = load_recording(FILES["wav"]).waveform
    np.testing.assert_array_equal(load_recording(wav(form, PCM)).waveform, expected)


def test_24_bits_may_lie_in_32():
    form = struct.pack("<HHIIHH", 1, 1, 16000, 64000, 4, 24)
    wide = (np.frombuffer(PCM, "<i2").astype("<i4") << 16).tobytes()
    expected = load_recording(FILES["wav"]).waveform
    np.testing.assert_array_equal(load_recording(wav(form, wide)).waveform, expected)


@pytest.mark.parametrize("end", ["<", ">"])
def test_24_bits_may_lie_in_32_in_a_caf_too(end):
    flags = 2 if end == "<" else 0
    desc = struct.pack(">d4sIIIII", 16000, b"lpcm", flags, 8, 1, 2, 24)
    samples = np.frombuffer(PCM, "<i2").astype("<i4") << 16
    wide = np.repeat(samples, 2).astype(f"{end}i4").tobytes()
    data = b"caff\0\1\0\0desc" + struct.pack(">q", len(desc)) + desc
    data += b"data" + struct.pack(">qI", 4 + len(wide), 0) + wide
    expected = load_recording(FILES["wav"]).waveform
    np.testing.assert_allclose(load_recording(data).waveform, expected, atol=1e-6)


def headers(*sizes: int | None, cut: int = 0) -> bytes:
    """The tone in as many parts, each behind a header of such a size; `cut` bytes are missing."""
    parts = np.array_split(np.frombuffer(PCM, "<i2"), len(sizes))
    data = [wav(MONO, part.tobytes(), size) for part, size in zip(parts, sizes, strict=True)]
    data[0] = data[0][: len(data[0]) - cut]
    return b"".join(data)


@pytest.mark.parametrize(
    ("data", "missing_s"),
    [
        (headers(None, None, None), 0),
        (headers(len(PCM), len(PCM), len(PCM), len(PCM)), 0),  # each says the size of all
        (headers(0, 0xFFFFFFFF, None), 0),
        (headers(None, None, cut=6400), 0.2),
        (headers(len(PCM) + 6400, len(PCM) + 6400), 0.2),
        (rf64(MONO, PCM, 2**63 - 1), 0),
    ],
    ids=["right", "of all", "none", "cut before another", "of more than all", "largest"],
)
def test_what_is_missing_before_another_header_is_missed(data, missing_s, tmp_path):
    path = tmp_path / "parts.wav"
    path.write_bytes(data)
    seconds, warnings = read(path)
    assert bool(warnings) == bool(missing_s)
    if missing_s:
        assert f"lasts {seconds + missing_s:.1f} s" in warnings[0]


_STEREO = wav_form(1, 16000, 2, 16)


@pytest.mark.parametrize(
    ("data", "is_cut"),
    [
        (wav(_STEREO, PCM, 0)[:-1], True),
        (wav(_STEREO, PCM, 0)[:-2], True),
        (wav(_STEREO, PCM, 0xFFFFFFFF)[:-3], True),
        (wav(_STEREO, PCM, 6400)[:-3], True),
        (caf(16000, 2, 16, PCM, 0xFFFFFFFF)[:-3], True),
        (wav(_STEREO, PCM, 0xFFFFFFFF), False),
        (wav(_STEREO, PCM, 0) + b"\0", True),
        (wav(wav_form(1, 16000, 1, 24), bytes(3 * 4001), 0) + b"\0", False),  # padding
        (wav(_STEREO, PCM) + b"\n", False),  # all that the header says is there
        (wav(_STEREO, PCM[:-1]), False),  # so it is here
    ],
)
def test_a_cut_within_a_sample_is_said(data, is_cut, tmp_path):
    path = tmp_path / "stereo.wav"
    path.write_bytes(data)
    seconds, warnings = read(path)
    said = "the file ends within a sample, at 0.2 s: it may be cut off"
    assert (abs(seconds - 0.25) < 0.001, warnings) == (True, [said] if is_cut else [])
    reader = LiveReader()
    live = [*reader.read(data, 16000), *reader.finish()]
    assert sum(map(len, live)) == round(seconds * 16000)
    assert reader.warnings == ["the audio ends within a sample: it may be cut off"] * is_cut


def test_files_of_different_kinds_may_be_joined(tmp_path):
    path = tmp_path / "joined"
    path.write_bytes(b"".join(FILES.values()) + FILES["wav"])
    seconds, warnings = read(path)
    assert seconds == len(TONE) / 16000 * (len(FILES) + 1) and warnings == []


@pytest.fixture(scope="module")
def adpcm(tmp_path_factory) -> dict[str, bytes]:
    """Two seconds of a tone in WAV files of codecs."""
    folder = tmp_path_factory.mktemp("adpcm")
    found = {}
    for name in ("IMA_ADPCM", "GSM610"):
        soundfile.write(folder / "a.wav", np.tile(TONE, 4), 16000, subtype=name)
        found[name] = (folder / "a.wav").read_bytes()
    return found


def test_padding_behind_a_codec_is_no_damage(adpcm, tmp_path):
    path = tmp_path / "padded.wav"
    for name, data in adpcm.items():
        place = data.index(b"data") + 4
        for size in (data[place : place + 4], b"\0\0\0\0", b"\xff\xff\xff\xff"):
            path.write_bytes(data[:place] + size + data[place + 4 :])
            seconds, warnings = read(path)
            assert abs(seconds - 2) < 0.1 and warnings == [], name


def test_a_cut_of_joined_files_of_a_codec_is_said(adpcm, tmp_path):
    path = tmp_path / "joined.wav"
    for name, data in adpcm.items():
        for joined in (data + data[: len(data) * 2 // 3], data[: len(data) * 2 // 3] + data):
            path.write_bytes(joined)
            assert any("may be cut off" in warning for warning in read(path)[1]), name
        path.write_bytes(data * 2)
        assert read(path)[1] == []


def test_a_sample_dump_is_damaged_only_where_it_is_cut(tmp_path):
    path = tmp_path / "dump.sds"
    soundfile.write(path, TONE, 16000, format="SDS", subtype="PCM_16")
    assert read(path) == (0.5, [])
    data = path.read_bytes()
    for size in (len(data) // 2, 21 + 127 * 100):
        path.write_bytes(data[:size])
        assert "may be cut off" in read(path)[1][-1]


def test_tags_between_joined_mp3_are_no_damage(coded, tmp_path):
    path = tmp_path / "joined.mp3"
    data = coded["mp3"]
    for between in (b"", b"TAG" + bytes(125), b"ID3\4\0\0\0\0\2\0" + bytes(256)):
        path.write_bytes(data + between + data)
        seconds, warnings = read(path)
        assert abs(seconds - 2) < 0.2 and warnings == []
    path.write_bytes(data + b"no sound at all " * 30 + data)
    assert "damaged" in read(path)[1][0]


@pytest.mark.parametrize("rates", [(16000, 44100), (48000, 8000, 22050, 22050)])
def test_joined_aac_of_other_rates_is_read_whole(rates, tmp_path):
    source, path = tmp_path / "source.wav", tmp_path / "joined.aac"
    source.write_bytes(wav(MONO, int16(np.tile(TONE, 4)).tobytes()))
    data = b""
    for rate in rates:
        odd_audio.ffmpeg("-i", source, "-ar", rate, tmp_path / "part.aac")
        data += (tmp_path / "part.aac").read_bytes()
    for lead in (b"", b"ID3\4\0\0\0\0\2\0" + bytes(256)):
        path.write_bytes(lead + data)
        seconds, warnings = read(path)
        assert abs(seconds - 2 * len(rates)) < 0.15 * len(rates) and warnings == []
    heard = np.abs(load_recording(path).waveform)
    assert np.mean(heard > 0.05) > 0.85  # no silence between its frames


def test_a_transport_stream_that_changes_its_rate_is_told_of(tmp_path):
    source, path, data = tmp_path / "source.wav", tmp_path / "joined.ts", b""
    source.write_bytes(wav(MONO, int16(np.tile(TONE, 4)).tobytes()))
    for rate in (16000, 44100):
        odd_audio.ffmpeg("-i", source, "-ar", rate, "-c:a", "aac", tmp_path / "part.ts")
        data += (tmp_path / "part.ts").read_bytes()
    path.write_bytes(data)
    assert "changes its sample rate, and its times are broken" in read(path)[1][0]


@pytest.fixture(scope="module")
def coded(tmp_path_factory) -> dict[str, bytes]:
    """A second of a tone in coded files."""
    folder = tmp_path_factory.mktemp("coded")
    source = folder / "source.wav"
    source.write_bytes(wav(MONO, int16(np.tile(TONE, 2)).tobytes()))
    found = {}
    for name in ("webm", "m4a", "flac", "flv", "avi", "wv", "mp3"):
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


def test_a_tag_behind_flac_is_no_damage(coded, tmp_path):
    path = tmp_path / "tagged.flac"
    path.write_bytes(coded["flac"] + b"TAG" + bytes(125))
    assert read(path) == (1.0, [])
    path.write_bytes(coded["flac"][:-500] + b"TAG" + bytes(125))
    assert read(path)[1] != []


def test_a_flac_that_says_too_little_is_read_whole(coded, tmp_path):
    data = bytearray(coded["flac"])
    data[21:26] = (data[21] >> 4 << 36 | 4410).to_bytes(5, "big")
    path = tmp_path / "short.flac"
    path.write_bytes(data)
    assert read(path) == (1.0, [])
