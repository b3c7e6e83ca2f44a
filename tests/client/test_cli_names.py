"""Recordings of any name: bytes, length, twins, hidden ones, standard input."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_client.cli import main
from asr_client.cli.names import LONGEST_NAME, distinct, printable, shortened
from tests.client.test_cli import FakeClient

GBK = os.fsdecode("录音.wav".encode("gbk"))


class Anything(FakeClient):
    """Knows every recording."""

    def _answer(self, audio):
        self.texts[audio] = "好"
        return super()._answer(audio)


def transcribe(*arguments: object) -> int:
    return main(["transcribe", *map(str, arguments)], client_factory=Anything())


def results(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_name_that_is_not_utf_8_stops_nobody(tmp_path):
    """On a real stdout; what is captured within Python takes any string."""
    for name in (GBK, "good.wav"):
        (tmp_path / name).write_bytes(b"x")
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from asr_client.cli import main; from tests.client.test_cli_names import Anything;"
        "sys.exit(main(['transcribe', *sys.argv[1:]], client_factory=Anything()))"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    texts = subprocess.run(run, capture_output=True)
    assert texts.returncode == 0, texts.stderr
    raw_name = os.fsencode(tmp_path / GBK)
    assert sorted(texts.stdout.splitlines())[1] == raw_name + "\t好".encode()
    objects = subprocess.run([*run, "--format", "json"], capture_output=True)
    names = [json.loads(line)["file"] for line in objects.stdout.decode().splitlines()]
    assert sorted(map(os.fsencode, names)) == sorted([raw_name, os.fsencode(tmp_path / "good.wav")])
    missing = subprocess.run([*run[:3], str(tmp_path / GBK[:-1])], capture_output=True)
    assert missing.returncode == 0
    kaldi = subprocess.run([*run, "--format", "kaldi", "--output", str(tmp_path / "text")])
    assert kaldi.returncode == 0
    assert "好".encode() in (tmp_path / "text").read_bytes()


def test_results_of_any_name_are_written(tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    long_names = ["x" * 250 + ".wav", "语" * 83 + ".wav", "y" * 250 + "1.wav", "y" * 250 + "2.wav"]
    names = [GBK, *long_names, "a b\tc\nd.wav", "-dash.wav", "'quote\".wav"]
    for name in names:
        (folder / name).write_bytes(b"x")
    assert transcribe(folder, "--output-dir", output, "--format", "json") == 0
    assert len(results(output)) == len(names)
    read = {json.loads(path.read_bytes())["file"] for path in output.rglob("*.json")}
    assert read == {str(folder / name) for name in names}
    assert transcribe(folder, "--output-dir", output, "--format", "json") == 0
    assert len(results(output)) == len(names)  # found again


def test_a_name_with_a_line_feed_stays_on_its_line(capsys):
    assert transcribe("a\nb.wav", "c.wav") == 0
    assert capsys.readouterr().out == "a\\nb.wav\t好\nc.wav\t好\n"


def test_twins_get_results_of_their_own(tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    for name in ("a.wav", "a.mp3", "b.wav", "day/a.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert transcribe(folder, "--output-dir", output) == 0
    assert results(output) == {"a.wav.txt", "a.mp3.txt", "b.txt", "day/a.txt"}


def test_twins_of_two_folders_get_results_of_their_own(tmp_path, capsys):
    output = tmp_path / "out"
    files = ["x/a.wav", "y/a.wav", "x/a.wav"]
    assert transcribe(*files, "--output-dir", output) == 0
    assert len(results(output)) == 2
    assert transcribe(*files, "--output-dir", output) == 0
    assert "3 of 3 files are done already" in capsys.readouterr().err


def test_hidden_files_are_left_out_and_counted(tmp_path, capsys):
    for name in ("a.wav", "._a.wav", ".cache/b.wav", ".hidden.mp3", ".notes"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert transcribe(tmp_path) == 0
    out, err = capsys.readouterr()
    assert out == "好\n"
    assert err == f"{tmp_path}: 3 hidden files or folders left out\n"


def test_links_to_folders_are_left_out_and_counted(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path)
    assert transcribe(folder) == 0
    assert capsys.readouterr() == ("好\n", f"{folder}: 1 links to folders left out\n")


def test_a_folder_that_cannot_be_read_fails_alone(tmp_path, capsys, monkeypatch):
    for name in ("open/a.wav", "locked/b.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    scan = os.scandir

    def refusing(path):  # whoever runs the tests may be allowed everything
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    client = FakeClient({str(tmp_path / "open/a.wav"): "好"})
    assert main(["transcribe", str(tmp_path)], client_factory=client) == 1
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'open/a.wav'}\t好\n"
    assert err == f"{tmp_path / 'locked'}: Permission denied\n1 of 2 files failed\n"


def test_a_folder_without_recordings_stops_nobody(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert transcribe(tmp_path / "empty", "a.wav") == 0
    assert "no audio or video file" in capsys.readouterr().err
    assert transcribe(tmp_path / "empty") == 2


def test_a_name_that_no_file_can_have_fails_alone(capsys):
    client = FakeClient({"a.wav": "好"})
    assert main(["transcribe", "x" * 300 + ".wav", "a.wav"], client_factory=client) == 1
    assert capsys.readouterr().out == "a.wav\t好\n"


def test_hotwords_may_be_longer_than_any_name():
    client = FakeClient({"a.wav": "好"})
    words = "你好 " * 200
    assert main(["transcribe", "a.wav", "--hotword", words], client_factory=client) == 0
    assert client.asked["hotwords"] == words


class Received(Anything):
    """Keeps the bytes of what it is asked about."""

    def _answer(self, audio):
        self.asked["bytes"] = Path(audio).read_bytes()
        return super()._answer(audio)


def stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input_is_a_recording(monkeypatch, capsys):
    client = Received()
    stdin(monkeypatch, b"the bytes of a file")
    assert main(["transcribe", "-", "--format", "json"], client_factory=client) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["file"], record["id"]) == ("-", "stdin")
    assert client.asked["bytes"] == b"the bytes of a file"
    stdin(monkeypatch, b"again")
    assert main(["transcribe", "-", "a.wav"], client_factory=client) == 1  # a.wav is not there
    assert capsys.readouterr().out == "-\t好\n"


def test_standard_input_is_another_recording_each_time(monkeypatch, tmp_path):
    client = Received()
    for data in (b"one", b"another"):
        stdin(monkeypatch, data)
        command = ["transcribe", "-", "--output-dir", str(tmp_path)]
        assert main(command, client_factory=client) == 0
        assert client.asked["bytes"] == data


def test_standard_input_is_read_once(monkeypatch, capsys):
    stdin(monkeypatch, b"x")
    assert transcribe("-", "-") == 2
    assert "named twice" in capsys.readouterr().err


@given(st.text(max_size=400).filter(lambda name: "/" not in name), st.sampled_from([".txt", ""]))
def test_a_shortened_name_fits(name, suffix):
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return  # no name of a file
    short = shortened(name, suffix)
    assert len(os.fsencode(short)) <= LONGEST_NAME
    assert short.endswith(suffix)
    if len(os.fsencode(name + suffix)) <= LONGEST_NAME:
        assert short == name + suffix


@given(st.lists(st.sampled_from(["a.wav", "a.mp3", "x/a.wav", "a.mp3.wav", "b", "x/b"])))
def test_names_differ_where_paths_do(paths):
    names = distinct(paths, [[Path(path).stem, Path(path).name] for path in paths])
    for path, name in zip(paths, names, strict=True):
        for other_path, other in zip(paths, names, strict=True):
            assert (path == other_path) == (name == other)
    assert distinct(["x/b"], [["b"]]) == ["b"]


@pytest.mark.parametrize("name", ["录音 1.wav", "ordinary.wav", "\u3000x"])
def test_what_can_be_printed_is(name):
    assert printable(name) == name
