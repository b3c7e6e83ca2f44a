"""`triton-asr mic` with a virtual sound card: what is played is what the model hears."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client.cli import main
from asr_client.cli.ending import stopped_by_ctrl_c
from asr_client.cli.mic import level_meter
from asr_client.cli.microphone import MAX_BACKLOG_S, Microphone
from tests.client import misbehaving
from tests.client.toy_streaming import letters
from tests.client.virtual_microphone import VirtualMicrophone, virtual_microphone

SAMPLE = Path(__file__).parents[2] / "embedded_models" / "samples" / "zh_3.wav"
RUN = [sys.executable, "-m", "asr_client"]
PATIENCE_S = 120


@pytest.fixture(scope="module")
def microphone(tmp_path_factory):
    # Not pytest's own folder: the path of a socket has little room.
    with virtual_microphone(tmp_path_factory.mktemp("pulse")) as microphone:
        yield microphone


class Terminal:
    """Collects what a program writes to a terminal."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        self.text = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The program has ended: read what is left."""
        os.close(self.theirs)
        self._thread.join(10)

    def _read(self) -> None:
        while select.select([self._ours], [], []):
            try:
                self.text += os.read(self._ours, 1 << 16).decode(errors="replace")
            except OSError:
                return


def wait_until(condition, process: subprocess.Popen) -> None:
    """Wait for a condition while a program runs."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, f"it ended with {process.returncode}"
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.1)


def listen(microphone: VirtualMicrophone, command: list[str], heard) -> tuple[int, str, Terminal]:
    """Run a program that records while a recording is played; Ctrl-C once `heard`."""
    terminal = Terminal()
    process = subprocess.Popen(
        command, env=microphone.environment, stdout=subprocess.PIPE, stderr=terminal.theirs
    )
    try:
        wait_until(lambda: "listening" in terminal.text, process)
        assert microphone.play(SAMPLE).wait(PATIENCE_S) == 0
        wait_until(heard, process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        terminal.close()
    return process.returncode, out.decode(), terminal


def share_recognised(played: np.ndarray, heard: np.ndarray) -> float:
    """The share of half seconds of speech that are found in what was heard, in any place.

    A recorder on a loaded machine may have gaps; what it heard must still be what was played.
    """
    window, found = 8000, []
    for first in range(0, len(played) - window, window):
        piece = played[first : first + window]
        if np.abs(piece).max() < 0.1:
            continue
        products = np.correlate(heard, piece, "valid")
        energies = np.convolve(heard**2, np.ones(window, np.float32), "valid")
        norms = np.sqrt(np.maximum(energies, 1e-6) * float(piece @ piece))
        found.append(float((products / norms).max()) > 0.9)
    return sum(found) / len(found)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_what_is_played_is_recognised_until_ctrl_c(microphone, toy, scheme):
    played, rate = soundfile.read(SAMPLE, dtype="float32")
    assert rate == 16000
    before = toy.received.last_sequence_id()

    def heard() -> bool:
        """All of the recording, and a second more."""
        newest = toy.received.last_sequence_id()
        audio = toy.received.audio(newest) if newest != before else np.zeros(0)
        loud = np.flatnonzero(np.abs(audio) > 0.05)
        return bool(loud.size) and len(audio) - loud[-1] > 16000

    command = [*RUN, "mic", "--device", "pulse", "--url", toy.url(scheme), "--model", "toy_stream"]
    status, out, terminal = listen(microphone, command, heard)
    assert status == 0, terminal.text
    sequence_id = toy.received.last_sequence_id()
    audio = toy.received.audio(sequence_id)
    assert toy.received.events(sequence_id)[-1]["end"] is True
    assert out == letters(len(audio)) + "\n"  # all that was recorded, to the last sample
    assert share_recognised(played, audio) >= 0.6

    assert "listening to pulse, Ctrl-C ends" in terminal.text
    lines = [line for line in terminal.text.split("\r") if line.startswith("[")]
    meters = {re.match(r"\[([# ]{8})\]", line).group(1) for line in lines}
    assert "        " in meters
    assert any(meter.startswith("####") for meter in meters)
    assert any("abc" in line for line in lines)
    assert terminal.text.endswith("\r\x1b[K")
    assert "Traceback" not in terminal.text


def test_devices_are_listed(microphone):
    run = subprocess.run(
        [*RUN, "mic", "--list-devices"], env=microphone.environment, capture_output=True, text=True
    )
    assert run.returncode == 0
    assert re.search(r"^[ *] +\d+  pulse  \(\d+ Hz\)$", run.stdout, re.MULTILINE), run.stdout


def test_a_device_that_does_not_exist(microphone):
    run = subprocess.run(
        [*RUN, "mic", "--device", "gramophone"],
        env=microphone.environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "microphone 'gramophone' cannot be used" in run.stderr
    assert "--list-devices" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_server_out_of_reach_is_said_before_one_speaks(microphone):
    url = f"grpc://127.0.0.1:{misbehaving.refusing_port()}"
    run = subprocess.run(
        [*RUN, "mic", "--device", "pulse", "--url", url],
        env=microphone.environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 3
    assert "listening" not in run.stderr
    assert url in run.stderr


def test_a_sound_server_that_does_not_run(tmp_path):
    """PortAudio itself finds nothing behind the name then."""
    environment = {**os.environ, "PULSE_SERVER": f"unix:{tmp_path}/none"}
    command = [*RUN, "mic", "--device", "pulse"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 1
    assert "microphone 'pulse' cannot be used" in run.stderr
    assert "Traceback" not in run.stderr


NO_DEVICES = """
class PortAudioError(Exception):
    pass

class default:
    device = (-1, -1)

def query_devices(device=None, kind=None):
    if kind is None:
        return []
    raise PortAudioError("Error querying device -1")
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the default microphone cannot be used: Error querying device -1"),
        (["--list-devices"], "PortAudio finds no device that can record"),
    ],
)
def test_a_machine_without_a_sound_card(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "sounddevice.py").write_text(NO_DEVICES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    assert main(["mic", *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ImportError('no module')", 'pip install "triton-asr[mic]"'),
        ("raise OSError('PortAudio library not found')", "apt-get install libportaudio2"),
    ],
)
def test_a_missing_library_is_named(tmp_path, monkeypatch, capsys, body, message):
    (tmp_path / "sounddevice.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    assert main(["mic"]) == 1
    assert message in capsys.readouterr().err


STANDIN = """
from types import SimpleNamespace

class PortAudioError(Exception):
    pass

default = SimpleNamespace(device=(0, 0))

def query_devices(device=None, kind=None):
    return dict(index=0, name="stand-in", default_samplerate=8000.0, max_input_channels=2)

class InputStream:
    def __init__(self, *, channels, callback, **options):
        if channels == 1:
            raise PortAudioError("Invalid number of channels")
        self.callback, self.active = callback, True
    def start(self): pass
    def stop(self): self.active = False
    def close(self): pass
"""


def test_a_microphone_that_is_not_read_loses_what_is_too_much_and_says_so(tmp_path, monkeypatch):
    """A stereo device that does not mix; the callback is PortAudio's part."""
    (tmp_path / "sounddevice.py").write_text(STANDIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    second = np.ones((8000, 2), np.float32)
    fine = type("Status", (), {"input_overflow": False})()
    with Microphone() as microphone:
        assert microphone.read().shape == (0, 1)
        callback = microphone._stream.callback
        for _ in range(int(MAX_BACKLOG_S) + 6):
            callback(second, len(second), None, fine)
        assert microphone.lost_s == 5
        assert len(microphone.read()) / 8000 == MAX_BACKLOG_S + 1
        callback(second, len(second), None, fine)
        assert microphone.lost_s == 5
        assert microphone.is_recording
        assert microphone.stop().shape == (8000, 2)
        assert not microphone.is_recording


@pytest.mark.parametrize(
    ("peak", "cells"), [(0, 0), (1e-4, 0), (1e-3, 0), (0.0316, 4), (0.5, 7), (1, 8), (2, 8)]
)
def test_the_level_meter(peak, cells):
    frames = np.array([[0.0], [-peak]], np.float32)
    assert level_meter(frames) == "#" * cells + " " * (8 - cells)


def test_the_level_of_nothing():
    assert level_meter(np.zeros((0, 1), np.float32)) == " " * 8


def test_the_first_ctrl_c_stops_and_the_second_interrupts():
    with stopped_by_ctrl_c() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
