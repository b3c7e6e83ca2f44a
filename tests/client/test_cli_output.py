"""What the command line writes is whole, and what is there is not destroyed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_client.cli import main
from tests.client import misbehaving
from tests.client.test_cli import FakeClient


@pytest.fixture
def client() -> FakeClient:
    return FakeClient({"a.wav": "你好", "b.wav": "再见"})


def transcribe(client: FakeClient, *arguments: object) -> int:
    return main(["transcribe", *map(str, arguments)], client_factory=client)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_recording_is_not_overwritten(client, capsys, tmp_path):
    recording, link = tmp_path / "a.wav", tmp_path / "link"
    recording.write_bytes(b"RIFF and more")
    link.symlink_to(recording)
    for output in (recording, link):
        assert transcribe(client, recording, "--output", output) == 2
        assert f"would overwrite {recording}" in capsys.readouterr().err
    assert recording.read_bytes() == b"RIFF and more"
    assert client.asked == {}


@pytest.mark.parametrize("what", ["list", "--wav-scp", "--compute-cer", "--hotword"])
def test_nothing_that_is_read_is_overwritten(client, capsys, tmp_path, what):
    path = tmp_path / "file.scp"
    path.write_text("a a.wav\n")
    named = [path] if what == "list" else [what, path, "a.wav"]
    assert transcribe(client, *named, "--output", path) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert path.read_text() == "a a.wav\n"


def test_a_folder_of_results_overwrites_no_recording(client, capsys, tmp_path):
    recording = tmp_path / "talk.txt"  # whatever it is called
    recording.write_bytes(b"sound")
    assert transcribe(client, recording, "--output-dir", tmp_path) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert recording.read_bytes() == b"sound"


def test_a_failure_leaves_what_was_there(client, capsys, tmp_path):
    output = tmp_path / "out.txt"
    output.write_text("from yesterday")
    assert transcribe(client, "gone.wav", "--output", output) == 1
    assert output.read_text() == "from yesterday"
    assert transcribe(client, "gone.wav", "a.wav", "--output", output) == 1
    assert output.read_text(encoding="utf-8") == "a.wav\t你好\n"
    assert left(tmp_path) == {"out.txt"}


def test_a_result_without_speech_is_a_result(client, tmp_path):
    output = tmp_path / "out.txt"
    output.write_text("from yesterday")
    client.texts["silence.wav"] = ""
    assert transcribe(client, "silence.wav", "--output", output) == 0
    assert output.read_text().strip() == ""


def test_links_and_permissions_stay(client, tmp_path):
    output, link = tmp_path / "out.txt", tmp_path / "link"
    output.write_text("old")
    output.chmod(0o640)
    link.symlink_to(output)
    assert transcribe(client, "a.wav", "--output", link) == 0
    assert link.is_symlink()
    assert output.read_text(encoding="utf-8") == "你好\n"
    assert output.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("output", ["", "no/such/folder/out.txt"])
def test_what_cannot_be_opened_is_named(client, capsys, tmp_path, output):
    assert transcribe(client, "a.wav", "--output", tmp_path / output) == 2
    assert f"--output {tmp_path / output}: " in capsys.readouterr().err


def test_a_device_is_written_to_as_it_is(client, tmp_path):
    assert transcribe(client, "a.wav", "--output", os.devnull) == 0
    read, write = os.pipe()
    with open(read, "rb") as pipe:
        assert transcribe(client, "a.wav", "--output", f"/dev/fd/{write}") == 0
        os.close(write)
        assert pipe.read() == "你好\n".encode()


def test_a_full_disk_is_named_as_such(client, capsys):
    assert transcribe(client, "a.wav", "--output", "/dev/full") == 4
    assert capsys.readouterr().err == (
        "triton-asr transcribe: --output /dev/full: No space left on device\n"
    )


# A file may not grow beyond what the process is allowed, as if the disk were full.
_LIMITED = """
import resource, signal, sys
sys.path.insert(0, ".")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from asr_client.cli import main
from tests.client.test_cli import FakeClient
sys.dont_write_bytecode = True  # it would be half, too, and be read ever after
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
texts = {"a.wav": "好" * 300, "b.wav": "好" * 300}
sys.exit(main(["transcribe", *sys.argv[1:]], client_factory=FakeClient(texts)))
"""


@pytest.mark.parametrize("option", ["--output", "--output-dir"])
def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path, option):
    output = tmp_path / "out"
    command = [sys.executable, "-c", _LIMITED, "a.wav", "b.wav", option, str(output)]
    done = subprocess.run(
        [*command, "--concurrency", "1", "--format", "json"], capture_output=True, text=True
    )
    assert done.returncode == 4, done.stderr
    assert "File too large" in done.stderr
    assert f"triton-asr transcribe: {option}" in done.stderr
    assert "a.wav: " not in done.stderr  # the recording is not to blame
    assert not output.is_file()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_stdout_that_cannot_be_written_is_named(tmp_path):
    code = _LIMITED.replace("(1000, ", "(resource.RLIM_INFINITY, ")
    command = [sys.executable, "-c", code, "a.wav"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4
    assert done.stderr == "triton-asr transcribe: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
@pytest.mark.parametrize("option", ["--output", "--output-dir"])
def test_a_signal_leaves_nothing_behind(tmp_path, number, code, option):
    connected = threading.Event()

    def handle(connection: socket.socket, ended: threading.Event) -> None:
        connected.set()
        misbehaving.silent(connection, ended)

    recording, output = tmp_path / "a.wav", tmp_path / "out"
    soundfile.write(recording, np.zeros(16000), 16000)
    if option == "--output":
        output.write_text("from yesterday")
    with misbehaving.tcp_server(handle) as port:
        command = [sys.executable, "-m", "asr_client", "transcribe", str(recording), option, output]
        url = f"http://127.0.0.1:{port}"
        # Whoever runs the tests may ignore it (nohup), and what is ignored is inherited.
        process = subprocess.Popen(
            [*command, "--timeout", "3600", "--url", url],
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        )
        assert connected.wait(60)
        process.send_signal(number)
        assert process.wait(120) == code
    if option == "--output":
        assert output.read_text() == "from yesterday"
    assert [path.name for path in tmp_path.rglob("*.partial")] == []


@pytest.mark.parametrize("command", [["transcribe", "-"], ["align", "-", "text.txt"]])
def test_the_file_that_is_standard_input_is_not_overwritten(tmp_path, command):
    recording = tmp_path / "a.wav"
    soundfile.write(recording, np.zeros(16000), 16000)
    before = recording.read_bytes()
    (tmp_path / "text.txt").write_text("text")
    with recording.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "asr_client", *command, "--output", str(recording)],
            stdin=stdin,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
    assert done.returncode == 2
    assert "would overwrite standard input" in done.stderr
    assert recording.read_bytes() == before


@pytest.mark.parametrize("what", ["its file", "a recording"])
def test_known_speakers_are_not_overwritten(client, capsys, tmp_path, what):
    known, recording = tmp_path / "speakers.json", tmp_path / "li.wav"
    known.write_text('{"speakers": {"Li": "li.wav"}}')
    recording.write_bytes(b"sound")
    output = known if what == "its file" else recording
    assert transcribe(client, "a.wav", "--known-speakers", known, "--output", output) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert recording.read_bytes() == b"sound"


@pytest.mark.parametrize("option", ["/dev/stdout", "log"])
def test_a_file_that_is_stdout_already_keeps_what_others_write(tmp_path, option):
    code = (
        "import sys; from asr_client.cli import main; from tests.client.test_cli import FakeClient;"
        "sys.exit(main(sys.argv[1:], client_factory=FakeClient({'a.wav': 'text'})))"
    )
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as stdout:
        output = log if option == "log" else option
        command = [sys.executable, "-c", code, "transcribe", "a.wav", "--output", str(output)]
        assert subprocess.run(command, stdout=stdout).returncode == 0
        stdout.write("after\n")
    assert log.read_text() == "before\ntext\nafter\n"


def test_a_folder_that_is_not_there_is_no_file(client, capsys, tmp_path):
    assert transcribe(client, "a.wav", "--output", f"{tmp_path / 'new'}/") == 2
    assert "Is a directory" in capsys.readouterr().err
    assert left(tmp_path) == set()


def test_no_room_for_standard_input_has_a_status_of_its_own(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, "-"], input=bytes(5000), capture_output=True
    )
    assert done.returncode == 6
    assert b"File too large" in done.stderr
