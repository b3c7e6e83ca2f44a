"""`triton-asr stream`: what it accepts, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client.cli import main
from asr_client.cli.live_output import LiveLine, end_that_fits
from asr_client.cli.stream import cut
from tests.client import misbehaving
from tests.client.toy_streaming import TROUBLE, Received, letters

RUN = [sys.executable, "-m", "asr_client"]


def recording(path: Path, seconds: float, value: float = 0.1) -> str:
    """A file of one value; float samples keep what asks the toy for trouble."""
    frames = np.full(int(seconds * 16000), value, np.float32)
    soundfile.write(path, frames, 16000, format="WAV", subtype="FLOAT")
    return str(path)


@pytest.fixture(params=["grpc", "http"])
def arguments(request, toy) -> list[str]:
    return ["--url", toy.url(request.param), "--model", "toy_stream"]


def test_one_file_gives_its_text(arguments, toy, tmp_path, capsys):
    path = recording(tmp_path / "a.wav", 1.25)
    assert main(["stream", path, *arguments, "--chunk-ms", "200", "--chunk-size", "0,8,4"]) == 0
    assert capsys.readouterr() == (letters(20000) + "\n", "")
    events = toy.received.events(toy.received.last_sequence_id())
    assert events[0]["parameters"]["chunk_size"] == "0,8,4"
    assert sum(event["samples"] for event in events) == 20000


def test_hotwords_are_not_overwritten(arguments, tmp_path, capsys):
    path, words = recording(tmp_path / "a.wav", 0.3), tmp_path / "words.txt"
    words.write_text("word")
    command = ["stream", path, *arguments, "--hotword", str(words), "--output", str(words)]
    assert main(command) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert words.read_text() == "word"


def test_several_files_and_one_that_fails(arguments, tmp_path, capsys):
    first, second = recording(tmp_path / "1", 0.3), recording(tmp_path / "2", 0.5)
    failing = recording(tmp_path / "fail", 0.2, TROUBLE["fail"])
    missing = str(tmp_path / "missing.wav")
    assert main(["stream", first, missing, failing, second, *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == f"{first}\tabc\n{second}\tabcde\n"
    lines = err.splitlines()
    assert lines[0] == f"{missing}: No such file or directory"
    assert lines[1].startswith(f"{failing}: the session is lost: ")
    assert "no luck" in lines[1]
    assert "0.00 s of 0.20 s of audio were acknowledged" in lines[1]
    assert lines[2] == "2 of 4 files failed"


def test_json_tells_each_change_and_the_result(arguments, tmp_path):
    path, output = recording(tmp_path / "a.wav", 5), tmp_path / "out"
    command = ["stream", path, *arguments, "--format", "json", "--output", str(output)]
    assert main([*command, "--chunk-ms", "100", "--simulate"]) == 0
    *updates, result = map(json.loads, output.read_text().splitlines())
    assert updates
    for update in updates:
        assert update["file"] == path
        assert update["is_final"] is False
        assert update["text"] == update["final_text"] + update["partial_text"]
        assert result["text"].startswith(update["final_text"])
    assert result["is_final"] is True
    assert result["text"] == letters(80000)
    assert result["timestamps_ms"][0] == [0, 60]
    assert len(result["tokens"]) == len(result["confidence"]) == 50


def test_simulate_sends_at_real_speed(arguments, tmp_path, capsys):
    path = recording(tmp_path / "a.wav", 1.5)
    start = time.monotonic()
    assert main(["stream", path, *arguments, "--simulate"]) == 0
    assert time.monotonic() - start >= 1.5
    assert capsys.readouterr().out == letters(24000) + "\n"


def test_a_terminal_shows_the_text_as_it_grows(arguments, tmp_path):
    path = recording(tmp_path / "a.wav", 5)
    ours, theirs = pty.openpty()
    command = [*RUN, "stream", path, *arguments, "--chunk-ms", "100", "--simulate"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 1 << 16):
            shown += part
    except OSError:
        pass  # the other end is closed
    assert process.communicate(timeout=300)[0] == letters(80000).encode() + b"\n"
    assert process.returncode == 0
    drawn = [part for part in shown.decode().split("\r") if part]
    assert len(drawn) > 2
    assert drawn[-1] == "\x1b[K"  # empty in the end
    assert all(letters(80000).startswith(part.removesuffix("\x1b[K")) for part in drawn)


@pytest.mark.parametrize("moment", ["sending", "waiting"])
def test_ctrl_c_ends_the_sequence_and_the_command(arguments, toy, tmp_path, moment):
    before = toy.received.last_sequence_id()
    toy.received.hold()
    value = TROUBLE["hold"] if moment == "waiting" else 0.1
    path = recording(tmp_path / "a.wav", 600, value)
    command = [*RUN, "stream", path, *arguments, "--simulate", "--chunk-ms", "100"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        sequence_id = wait_for_audio(toy.received, process, before)
        process.send_signal(signal.SIGINT)
        if moment == "waiting":
            time.sleep(0.5)
            toy.received.release()
        _, err = process.communicate(timeout=300)
    finally:
        process.kill()
        toy.received.release()
    assert process.returncode == 130
    assert err == "triton-asr: interrupted\n"
    assert toy.received.events(sequence_id)[-1]["end"] is True


def wait_for_audio(received: Received, process: subprocess.Popen, before: int | None) -> int:
    """Wait until a new sequence has brought audio, and return its id."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        newest = received.last_sequence_id()
        if newest != before and len(received.events(newest)) > 1:
            return newest
        time.sleep(0.05)
    raise AssertionError(f"no audio came; exit status {process.poll()}")


def test_a_server_out_of_reach_ends_with_3(tmp_path, capsys):
    path = recording(tmp_path / "a.wav", 1)
    url = f"grpc://127.0.0.1:{misbehaving.refusing_port()}"
    assert main(["stream", path, path, "--url", url]) == 3
    assert capsys.readouterr().err.count(url) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["stream"],
        ["stream", "a.wav", "--chunk-ms", "0"],
        ["stream", "a.wav", "--chunk-size", "5,10"],
        ["stream", "a.wav", "--chunk-size", "a,b,c"],
        ["stream", "a.wav", "--format", "kaldi"],
    ],
)
def test_wrong_arguments_end_with_2(wrong, capsys):
    with pytest.raises(SystemExit) as caught:
        main(wrong)
    assert caught.value.code == 2


@pytest.mark.parametrize(("samples", "chunk_ms"), [(0, 600), (1, 600), (16000, 1), (9601, 600)])
def test_a_file_is_cut_without_loss(samples, chunk_ms):
    waveform = np.arange(samples, dtype=np.float32)
    chunks = list(cut(waveform, chunk_ms))
    assert [len(chunk) for chunk in chunks[:-1]] == [16 * chunk_ms] * (len(chunks) - 1)
    np.testing.assert_array_equal(np.concatenate([waveform[:0], *chunks]), waveform)


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "bc"),
        ("abc", 0, ""),
        ("你好ab", 5, "好ab"),
        ("你好ab", 3, "ab"),
        ("a\nb\tc", 9, "a b c"),
        ("é", 1, "é"),
        ("", 5, ""),
    ],
)
def test_the_end_of_a_text_is_what_fits(text, columns, shown):
    assert end_that_fits(text, columns) == shown


def test_where_there_is_no_terminal_nothing_is_drawn():
    plain = io.StringIO()
    line = LiveLine(plain)
    line.draw("text")
    line.clear()
    assert plain.getvalue() == ""


def test_raw_samples_are_recognised_while_they_come(arguments, toy):
    """Text is there before the input ends; a frame may be cut anywhere."""
    samples = (np.full((8000, 2), 0.1) * 32768).astype("<i2").tobytes()
    options = ("--raw-rate", "16000", "--raw-channels", "2", "--format", "json")
    with subprocess.Popen(
        [*RUN, "stream", "-", *options, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdin.write(samples[:-1])
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"]
        process.stdin.write(samples[-1:] + samples + b"x")  # and half a frame
        process.stdin.close()
        *_, result = process.stdout.read().splitlines()
        assert process.wait(120) == 0
    assert json.loads(result)["text"] == letters(16000)


def test_a_codec_has_no_samples(arguments, capsys):
    assert main(["stream", "-", "--raw-rate", "8000", "--raw-format", "gsm", *arguments]) == 2
    assert "--raw-format gsm: expected samples" in capsys.readouterr().err
