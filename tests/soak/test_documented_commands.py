"""Every command of README and docs, as a new user types it: a clone, an empty environment.

Each line of a shell block is run by bash as it stands, in a folder with the files that the pages
name. What cannot be run here is in `NOT_RUN`, with the reason. The usual ports must be free.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from asr_server.places import ROOT, SAMPLES
from tests.client.media_files import ffmpeg
from tests.processes import read_until
from tests.test_docs import FENCE, SHELL_BLOCKS

pytestmark = pytest.mark.soak

TIMEOUT_S = 1800
PORTS = (8000, 8001, 8002, 8080, 9000, 9001, 9002, 10095)

# Part of a command → why it is not run.
NOT_RUN = {
    "git clone": "what it fetches is not public here",
    "make demo": "run by a clean clone before a release",
    "make test": "this is a part of it",
    "docker": "needs a Docker engine",
    "[docker]": "needs a Docker engine",
    "--gpus": "needs a GPU",
    "--from iic/": "needs a model hub",
    "--from paraformer --": "needs a model hub",
    "--variant contextual": "needs a model hub",
    "--from speech_ngram_lm": "needs a model hub",
    "tritonserver --model-repository": "needs NVIDIA's container",
    "--from fsmn-vad": "needs a model hub",
    "--from ct-punc-c": "needs a model hub",
    "--from fa-zh": "needs a model hub",
    "--model fa-zh": "tests/client/test_align_by_fa_zh.py does it",
    "--from DIRECTORY": "stands for any directory",
    "--from .cache/finetuned": "tests/soak/test_finetune.py does it",
    "scripts.finetune": "tests/soak/test_finetune.py does it",
    "install use paraformer NAME": "stands for any name",
    "scripts.benchmark": "measures for hours",
    "[benchmark]": "gigabytes for what measures",
    "scripts.export_random_models": "tests/soak/test_full_size.py does it",
    "lab.published_clients": "tests/soak/test_published_clients.py does it",
    "0.0.0.0": "servers of this machine stay its own",
    "python3 -m venv": "done for all",
    "mic --list-devices": "depends on the sound card",
    "triton-asr mic": "needs a microphone",
    "arecord": "needs a microphone",
    "kubectl": "needs a cluster",
    "helm install": "needs a cluster",
    "Bearer $KEY": "needs a cluster, whose key it is",
    "s3://": "needs an object store",
    "grpc://a:8001": "needs three machines",
    "kill -TERM $PID": "stands for any process",
    "--ray": "tests/soak/test_archive_on_ray.py does it",
    "[ray]": "hundreds of megabytes for it",
    "--from cam++": "needs a model hub",
    "--from exported/": "stands for any export",
}
SERVERS = ("triton-asr-server serve", "triton-asr-gateway", "make serve")


def commands() -> list[tuple[str, str]]:
    """Page and line of each command of README and docs, joined where a line goes on."""
    pages = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return [
        (page, line.partition(" #")[0].strip())
        for page in ("README.md", *pages)
        for _, language, block in FENCE.findall((ROOT / page).read_text(encoding="utf-8"))
        if language in SHELL_BLOCKS and language
        for line in block.replace("\\\n", " ").splitlines()
        if line.partition(" #")[0].strip()
    ]


COMMANDS = commands()
RUN = [command for command in COMMANDS if not any(reason in command[1] for reason in NOT_RUN)]
CLIENT = [command for command in RUN if not command[1].startswith(SERVERS)]
SERVING = [command for command in RUN if command[1].startswith(SERVERS)]


def test_the_reasons_are_needed():
    for part in NOT_RUN:
        assert any(part in line for _, line in COMMANDS), part


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """A clone with an environment of its own, and the files that pages name."""
    for port in PORTS:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is in use"
    folder = tmp_path_factory.mktemp("user") / "triton-asr"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    run(folder, f"{sys.executable} -m venv .venv")
    run(folder, 'pip install -c constraints.txt ".[server,gateway]"')
    for name in ("speech.wav", "a.flac", "b.flac"):
        ffmpeg("-i", SAMPLES / "zh_1.wav", folder / name)
    ffmpeg("-i", SAMPLES / "talk.ogg", "-t", "20", folder / "talk.mp4")
    ffmpeg("-i", SAMPLES / "zh_1.wav", "-ac", "2", folder / "call.wav")
    (folder / "texts.txt").write_text("帮我把报告发送给李明\n请打开房间的灯\n", encoding="utf-8")
    (folder / "recordings").mkdir()
    shutil.copy(SAMPLES / "en_1.wav", folder / "recordings")
    (folder / "wav.scp").write_text("utt1 speech.wav\n")
    (folder / "text.txt").write_text("帮我把报告发送给李明\n", encoding="utf-8")
    (folder / "manifest.jsonl").write_text('{"audio": "speech.wav"}\n')
    ffmpeg("-i", SAMPLES / "talk.ogg", "-t", "20", folder / "meeting.mp3")
    (folder / "text").write_text("utt1 帮我把报告发送给李明\n", encoding="utf-8")
    yield folder


@pytest.fixture(scope="module")
def served(folder) -> Iterator[Path]:
    """The folder, with the server that its own command starts."""
    with running(folder, "triton-asr-server serve --gateway"):
        yield folder


def environment(folder: Path) -> dict[str, str]:
    """A user's: its own home, its environment on PATH, nothing that leads elsewhere."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "VIRTUAL_ENV", "TRITON_ASR_HOME", "TRITON_ASR_URL")
    }
    path = f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}"
    return {**variables, "PATH": path, "HOME": str(home), "TMPDIR": tempfile.gettempdir()}


def run(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line by bash; it must succeed."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    return done


@contextmanager
def running(folder: Path, line: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server until it is ready, then as long as it is needed."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        if line.startswith("triton-asr-gateway"):
            wait_for_page()
        else:
            read_until(process, "ready")
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=120)


def wait_for_page() -> None:
    """Wait until a gateway answers at its usual port."""
    deadline_s = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen("http://127.0.0.1:10095/healthz", timeout=60) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline_s
            time.sleep(0.5)


@pytest.mark.parametrize(("page", "line"), SERVING)
def test_a_server_becomes_ready_and_ends(folder: Path, page: str, line: str) -> None:
    """It is the first test that needs the ports: the server of those below keeps them."""
    with ExitStack() as stack:
        if line.startswith("triton-asr-gateway"):
            stack.enter_context(running(folder, "triton-asr-server serve"))
        stack.enter_context(running(folder, line))


@pytest.mark.parametrize(("page", "line"), CLIENT)
def test_a_command_works_as_it_stands(served: Path, page: str, line: str) -> None:
    done = run(served, line)
    if line.startswith("triton-asr transcribe") and "--output" not in line:
        assert done.stdout.strip()


def test_the_results_are_where_they_were_to_be(served: Path) -> None:
    """Written by the commands above."""
    assert "-->" in (served / "talk.srt").read_text(encoding="utf-8")
    assert [path.name for path in (served / "texts").iterdir()] == ["en_1.json"]
    assert (served / "hyp").read_text(encoding="utf-8").startswith("utt1 ")
