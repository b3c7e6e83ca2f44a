"""Parts that are missing in the middle of a file, or that the file says are not to be played."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client.audio.media.endings import Ending, read_ending
from asr_client.audio.media.joints import find_joints
from tests.client.test_broken_headers import MONO, TONE, read
from tests.odd_audio import ffmpeg, int16
from tests.odd_containers import wav

MISSING = "parts of the file are missing: "


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Four seconds of a tone."""
    path = tmp_path_factory.mktemp("source") / "source.wav"
    path.write_bytes(wav(MONO, int16(np.tile(TONE, 8)).tobytes()))
    return path


def places(data: bytes, sign: bytes) -> list[int]:
    """Where a sign stands."""
    found = [-1]
    while (place := data.find(sign, found[-1] + 1)) >= 0:
        found.append(place)
    return found[1:]


def check_missing(path: Path, units: list[bytes], first: int, count: int) -> None:
    """All units give a file without a warning; without some of them, one that says so."""
    path.write_bytes(b"".join(units))
    assert read(path)[1] == []
    path.write_bytes(b"".join(units[:first] + units[first + count :]))
    seconds, warnings = read(path)
    assert 3.9 < seconds < 4.2 and warnings[0].startswith(MISSING), warnings


def cut_at(data: bytes, bounds: list[int]) -> list[bytes]:
    edges = [0, *bounds, len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("codec", ["libopus", "libvorbis", "flac"])
def test_pages_of_ogg(source, tmp_path, codec):
    path = tmp_path / "pages.ogg"
    ffmpeg("-i", source, "-c:a", codec, "-page_duration", 200_000, path)
    data = path.read_bytes()
    pages = cut_at(data, places(data, b"OggS")[1:])
    check_missing(path, pages, len(pages) // 2, 3)


def test_what_was_cut_out_of_a_longer_stream_lacks_nothing(source, tmp_path):
    path = tmp_path / "pages.ogg"
    ffmpeg("-i", source, "-c:a", "libvorbis", "-page_duration", 200_000, path)
    pages = cut_at(path.read_bytes(), places(path.read_bytes(), b"OggS")[1:])
    path.write_bytes(b"".join(pages[:2] + pages[6:]))  # as one who joins a radio station hears it
    assert not any(warning.startswith(MISSING) for warning in read(path)[1])


def test_frames_of_flac(source, tmp_path):
    path = tmp_path / "frames.flac"
    ffmpeg("-i", source, path)
    data = path.read_bytes()
    first = data.index(b"\xff\xf8")
    check_missing(path, cut_at(data, places(data, data[first : first + 4])), 4, 2)


def test_blocks_of_wavpack(source, tmp_path):
    path = tmp_path / "blocks.wv"
    ffmpeg("-i", source, path)
    data = path.read_bytes()
    check_missing(path, cut_at(data, places(data, b"wvpk")[1:]), 20, 2)


def test_packets_of_a_transport_stream(source, tmp_path):
    path = tmp_path / "packets.ts"
    ffmpeg("-i", source, "-c:a", "aac", path)
    data = path.read_bytes()
    packets = [data[place : place + 188] for place in range(0, len(data), 188)]
    begins = [place for place, each in enumerate(packets) if each[1:3] == b"\x41\x00"]
    check_missing(path, packets, begins[5], begins[8] - begins[5])
    path.write_bytes(data * 2)
    assert read(path)[1] == []


def test_packets_of_wma(source, tmp_path):
    path, size = tmp_path / "packets.wma", 3200
    ffmpeg("-i", source, "-ar", 44100, "-packet_size", size, path)
    data = path.read_bytes()
    first = data.index(bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")) + 50
    packets = cut_at(data, list(range(first, len(data), size)))
    check_missing(path, packets, 5, 2)
    path.write_bytes(b"".join(packets[:6]))
    assert read(path)[1][0].startswith("the audio ends at 1.")


def test_fragments_of_mp4(source, tmp_path):
    path = tmp_path / "fragments.mp4"
    options = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"]
    ffmpeg("-i", source, "-c:a", "aac", *options, "-frag_duration", 300_000, path)
    data = path.read_bytes()
    check_missing(path, cut_at(data, [place - 4 for place in places(data, b"moof")]), 4, 3)


@pytest.mark.parametrize(("start", "end", "is_said"), [(0, 1, True), (2, 4, True), (0, 4, False)])
def test_an_edit_list_that_leaves_something_out(source, tmp_path, start, end, is_said):
    path = tmp_path / "edited.m4a"
    ffmpeg("-i", source, "-c:a", "aac", path)
    data = bytearray(path.read_bytes())
    place, scale_at = data.index(b"elst") + 12, data.index(b"mvhd") + 16
    scale = int.from_bytes(data[scale_at : scale_at + 4], "big")
    data[place : place + 4] = ((end - start) * scale).to_bytes(4, "big")
    data[place + 4 : place + 8] = (start * 16000 + 1024).to_bytes(4, "big")
    path.write_bytes(data)
    seconds, warnings = read(path)
    assert abs(seconds - (end - start)) < 0.1
    assert any("edit list leaves out" in warning for warning in warnings) == is_said


@pytest.mark.parametrize(
    "name", ["a.m4a", "a.mp4", "a.ogg", "a.aac", "a.amr", "a.sds", "a.ts", "a.wma"]
)
def test_any_bytes_may_be_broken(source, tmp_path, name):
    path, fragmented = tmp_path / name, ["-movflags", "frag_keyframe+empty_moov"]
    if name == "a.amr":
        path.write_bytes(b"#!AMR\n" + b"\x3c" + bytes(31))
    elif name == "a.sds":
        soundfile.write(path, TONE, 16000, format="SDS", subtype="PCM_16")
    else:
        ffmpeg("-i", source, *(fragmented if name == "a.mp4" else []), "-t", "0.3", path)
    whole, rng = path.read_bytes(), np.random.default_rng(sum(map(ord, name)))
    for _ in range(300):
        data = bytearray(whole[: int(rng.integers(1, len(whole) + 1))])
        for place in rng.integers(0, len(data), int(rng.integers(0, 8))):
            data[place] = int(rng.choice([0, 1, 8, 0x7F, 0xFF, *range(256)]))
        path.write_bytes(data)
        assert isinstance(read_ending(path, None), Ending)
        assert all(0 < place < len(data) for place in find_joints(path))


def test_pauses_of_amr_are_no_damage(tmp_path):
    path = tmp_path / "pauses.amr"
    frame, nothing = b"\x3c" + bytes(31), b"\x7c"
    path.write_bytes(b"#!AMR\n" + (frame * 10 + nothing * 7) * 5 + frame)
    seconds, warnings = read(path)
    assert abs(seconds - 86 * 0.02) < 0.01 and warnings == []
    path.write_bytes(path.read_bytes()[:-3])
    assert read(path)[1] != []
