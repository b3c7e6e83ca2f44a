"""Archives with a real server: what comes of whole recordings, of stretches, of a killed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from asr_client.cli import main
from tests.client.archives import (
    RECORDINGS,
    committed,
    read_results,
    without_timings,
    write_manifest,
)

FILES = 60


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return write_manifest(tmp_path_factory.mktemp("archive"), FILES)


def archive(url: str, manifest: Path | str, output: Path, *arguments: str) -> list[str]:
    return ["archive", str(manifest), "--output-dir", str(output), "--url", url, *arguments]


def test_an_archive_says_what_transcribe_says(triton_server, tmp_path, capsys):
    url = triton_server.grpc_url
    names = [f"file://{path}" for path in RECORDINGS]
    rows = [{"id": path.stem, "audio": f"file://{path}"} for path in RECORDINGS]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    listed = f"file://{tmp_path}/list.jsonl"
    arguments = ["--allow-urls", "--ordered", "--language", "zh"]
    assert main(archive(url, listed, tmp_path / "out", *arguments)) == 0
    expected = ["transcribe", *names, "--allow-urls", "--language", "zh", "--format", "json"]
    capsys.readouterr()
    assert main([*expected, "--url", url]) == 0
    said = without_timings(capsys.readouterr().out.split("\n")[:-1])
    assert len(said) == len(RECORDINGS)
    assert read_results(tmp_path / "out") == said


def test_a_killed_run_is_gone_on_with(triton_server, manifest, tmp_path):
    url = triton_server.http_url
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    assert main(archive(url, manifest, whole, "--ordered")) == 0
    command = [sys.executable, "-m", "asr_client", *archive(url, manifest, pieces, "--ordered")]
    with subprocess.Popen([*command, "--commit-every", "0.1", "--concurrency", "2"]) as process:
        while not committed(pieces):
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert 0 < len(read_results(pieces)) < FILES
    assert main(archive(url, manifest, pieces, "--ordered")) == 0
    results = read_results(pieces)
    assert [result["id"] for result in results] == [f"u{number:04d}" for number in range(FILES)]
    assert results == read_results(whole)


def test_stretches_are_recognised_as_they_are_cut(triton_server, tmp_path):
    """As each would be in a file of its own, with the times that it has in the recording."""
    url = triton_server.grpc_url
    one, two = (soundfile.read(path)[0] for path in RECORDINGS[:2])
    rate = soundfile.info(RECORDINGS[0]).samplerate
    soundfile.write(tmp_path / "both.wav", [*one, *two], rate, subtype="PCM_16")
    start_s = len(one) / rate
    (tmp_path / "wav.scp").write_text(f"both {tmp_path}/both.wav\n")
    (tmp_path / "segments").write_text(f"one both 0 {start_s}\ntwo both {start_s} 9999\n")
    assert main(archive(url, tmp_path, tmp_path / "out")) == 0
    first, second = read_results(tmp_path / "out")
    assert (first["id"], second["id"]) == ("one", "two")
    assert second["warnings"] == [
        f"two: ends at 9999 s; the recording at {start_s + len(two) / rate:g} s"
    ]
    alone = [f"{i} {path}\n" for i, path in zip(("one", "two"), RECORDINGS, strict=False)]
    (tmp_path / "alone.scp").write_text("".join(alone))
    options = ["--no-vad", "--ordered"]
    assert main(archive(url, tmp_path / "alone.scp", tmp_path / "alone", *options)) == 0
    for got, own, shift_ms in zip(
        (first, second), read_results(tmp_path / "alone"), (0, round(1000 * start_s)), strict=True
    ):
        assert got["text"] == own["text"]
        assert [each["start_ms"] for each in got["sentences"]] == (
            [each["start_ms"] + shift_ms for each in own["sentences"]]
        )


def test_a_stretch_behind_the_end_fails_its_recording(triton_server, tmp_path, capsys):
    (tmp_path / "wav.scp").write_text(f"r {RECORDINGS[0]}\n")
    (tmp_path / "segments").write_text("x r 0 1\ny r 9000 9001\n")
    assert main(archive(triton_server.grpc_url, tmp_path, tmp_path / "out")) == 1
    assert "y: begins at 9000 s; the recording has" in capsys.readouterr().err
