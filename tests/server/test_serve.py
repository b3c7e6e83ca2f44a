"""The command that serves: ready, endpoints, clean end; and what it says when a model is broken."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import psutil
import pytest

from asr_client import AsrError, AsyncClient, Client, RequestRejected, ServerNotReady
from asr_client.files import SpeechDetector
from asr_contract import SAMPLE_RATE
from asr_server.models import KINDS, copy_repository
from asr_server.places import ROOT
from asr_server.run import held_ports
from tests import prepared_models
from tests.processes import read_until
from tests.serve_command import start_serve
from tests.serving import RANDOM_MODELS

# For what should happen, on however slow a machine.
END_TIMEOUT_S = 120
RECOVERY_TIMEOUT_S = 300
REQUEST_TIMEOUT_S = 10
SOURCE = RANDOM_MODELS / "sensevoice-tiny-seed0"
TINY_VAD = RANDOM_MODELS / "fsmn_vad-tiny-seed0"


@pytest.fixture
def repository(tmp_path):
    kind = KINDS["sensevoice"]
    copy = tmp_path / kind.repository
    prepared_models.put(kind, SOURCE, copy)
    return copy


@pytest.fixture
def start(repository, tmp_path):
    """Starts the command with further options; returns its ports and the process."""
    with held_ports(3) as ports:

        def run(*more):
            return ports, start_serve([repository], tmp_path / "server.log", ports, *more)

        yield run


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_told_to_stop_and_leaves_nothing(start, stop_signal):
    ports, process = start()
    said = read_until(process, "ready")
    assert re.search(rf"HTTP +http://127\.0\.0\.1:{ports[0]}\n", said)
    assert re.search(rf"gRPC +grpc://127\.0\.0\.1:{ports[1]}\n", said)
    assert f"http://127.0.0.1:{ports[2]}/metrics" in said
    with urlopen(
        f"http://127.0.0.1:{ports[0]}/v2/models/sensevoice/ready", timeout=END_TIMEOUT_S
    ) as answer:
        assert answer.status == 200
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4  # the server and a stub for each part
    process.send_signal(stop_signal)
    assert process.wait(END_TIMEOUT_S) == 0
    _, alive = psutil.wait_procs(family, timeout=END_TIMEOUT_S)
    assert not alive


def test_what_is_not_installed_is_not_served(start, repository):
    """As in a folder of auxiliary models of which only some were installed."""
    copy_repository(KINDS["punctuation"], repository)
    prepared_models.put(KINDS["vad"], TINY_VAD, repository)
    ports, process = start()
    assert "not installed, so not served: punctuation\n" in read_until(process, "ready")
    with Client(f"grpc://127.0.0.1:{ports[1]}") as client:
        ready = {model.name for model in client.models()}
    process.terminate()
    process.communicate(timeout=END_TIMEOUT_S)
    assert {"sensevoice", "vad"} <= ready
    assert "punctuation" not in ready


def test_sigterm_lets_open_streams_end_and_takes_none(start, repository):
    prepared_models.put(KINDS["vad"], TINY_VAD, repository)
    ports, process = start("--drain-s", str(END_TIMEOUT_S))
    read_until(process, "ready")
    second = np.zeros(SAMPLE_RATE, np.float32)

    async def run() -> None:
        async with (
            AsyncClient(f"grpc://127.0.0.1:{ports[1]}") as client,
            AsyncClient(f"http://127.0.0.1:{ports[0]}") as http,
            SpeechDetector(client._transport, {}, END_TIMEOUT_S) as detector,
            SpeechDetector(http._transport, {}, END_TIMEOUT_S) as over_http,
        ):
            await detector.accept(second)
            await over_http.accept(second)
            process.terminate()
            for each in (client, http):
                while await each.is_ready():
                    await asyncio.sleep(0.05)
                with pytest.raises(ServerNotReady):
                    async with SpeechDetector(each._transport, {}, END_TIMEOUT_S) as late:
                        await late.accept(second)
            live = f"http://127.0.0.1:{ports[0]}/v2/health/live"
            assert (await asyncio.to_thread(urlopen, live, timeout=END_TIMEOUT_S)).status == 200
            await detector.accept(second, is_last=True)
            for _ in range(6):  # longer than a door waits for what may come
                await asyncio.sleep(0.5)
                await over_http.accept(second)
            await over_http.accept(second, is_last=True)

    asyncio.run(run())
    assert process.wait(END_TIMEOUT_S) == 0


def test_nothing_to_serve(start, repository):
    shutil.rmtree(repository / "sensevoice_encoder" / "1")
    _, process = start()
    said, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == 1
    assert "nothing to serve: not installed in these repositories: sensevoice" in said


def test_the_server_ends_with_a_killed_starter(start):
    _, process = start()
    read_until(process, "ready")
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=END_TIMEOUT_S)
    assert not alive


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda graph: graph.unlink(), "model.onnx"),
        (lambda graph: graph.write_bytes(graph.read_bytes()[:5000]), "model.onnx"),
        (
            lambda graph: (
                (graph.parent.parent.parent / "sensevoice_scoring/1")
                .joinpath("chn_jpn_yue_eng_ko_spectok.bpe.model")
                .unlink()
            ),
            "chn_jpn_yue_eng_ko_spectok.bpe.model",
        ),
        (
            lambda graph: (
                graph.parent.parent.parent / "sensevoice_feature_extractor/1/am.mvn"
            ).write_text("nothing"),
            "am.mvn: expected <AddShift> and <Rescale>",
        ),
    ],
    ids=["missing graph", "truncated graph", "missing tokenizer", "broken am.mvn"],
)
def test_a_damaged_model_is_named_and_the_command_fails(repository, start, damage, words):
    damage(repository / "sensevoice_encoder" / "1" / "model.onnx")
    _, process = start()
    said, _ = process.communicate(timeout=RECOVERY_TIMEOUT_S)
    assert process.returncode == 1
    assert words in said


@pytest.mark.parametrize(
    "model", ["sensevoice_feature_extractor", "sensevoice_encoder", "sensevoice_scoring"]
)
def test_a_model_process_that_dies_is_replaced(start, model):
    """Requests fail with a hint meanwhile, in bounded time, and are answered again afterwards."""
    ports, process = start()
    read_until(process, "ready")
    samples = np.zeros(16_000, np.float32)
    with Client(f"grpc://127.0.0.1:{ports[1]}", timeout_s=REQUEST_TIMEOUT_S) as client:
        before = client.transcribe(samples, sample_rate=16_000, timeout_s=END_TIMEOUT_S)
        (stub,) = (
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if f"{model}_0_0" in child.cmdline()
        )
        stub.kill()
        outcomes = []
        deadline = time.monotonic() + RECOVERY_TIMEOUT_S
        while time.monotonic() < deadline and outcomes[-1:] != [before]:
            begun = time.monotonic()
            try:
                outcomes.append(client.transcribe(samples, sample_rate=16_000))
            except AsrError as error:
                outcomes.append(error)
            assert time.monotonic() - begun < REQUEST_TIMEOUT_S + 60  # on a loaded machine
    process.terminate()
    said, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert outcomes[-1] == before, outcomes[-3:]
    assert f"the process of {model}_0_0 died; starting it anew" in said


def test_a_gateway_beside_it(start):
    with held_ports(1) as (port,):
        _, process = start("--gateway", f"--gateway-option=--port={port}")
        said = read_until(process, "ready")
    assert f"http://127.0.0.1:{port}" in said
    with urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=END_TIMEOUT_S) as answer:
        assert "sensevoice" in [model["id"] for model in json.load(answer)["data"]]
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=END_TIMEOUT_S)
    assert not alive


def test_sigterm_while_it_loads_ends_it_at_once(start):
    _, process = start()
    time.sleep(2.0)
    family = psutil.Process(process.pid).children(recursive=True)
    begun = time.monotonic()
    process.terminate()
    said, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert time.monotonic() - begun < 10
    assert process.returncode == 0, said
    assert not psutil.wait_procs(family, timeout=END_TIMEOUT_S)[1]


def test_an_address_that_others_reach_needs_a_key_or_a_word(start):
    _, process = start("--host", "0.0.0.0")
    said, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == 1
    assert "--no-api-key: whoever reaches it may then recognise speech" in said


def test_ipv6_a_port_in_use_and_keys(start, monkeypatch, tmp_path):
    file = tmp_path / "keys"
    file.write_text("first\nsecond\n")
    ports, process = start("--host", "::1", "--api-key-file", str(file))
    assert f"http://[::1]:{ports[0]}\n" in read_until(process, "ready")
    _, second = start("--host", "::1")
    said, _ = second.communicate(timeout=END_TIMEOUT_S)
    assert second.returncode == 1
    assert f"HTTP: port {ports[0]} of ::1 is in use by another program; --http-port" in said
    assert "ready" not in said
    urls = (f"http://[::1]:{ports[0]}", f"grpc://[::1]:{ports[1]}")
    for key, is_let_in in (("second", True), ("third", False), ("", False)):
        monkeypatch.setenv("TRITON_ASR_API_KEY", key)
        for url in urls:
            with Client(url) as client:
                client.check_ready()  # probes need none
                if is_let_in:
                    client.transcribe(np.zeros(16_000, np.float32), sample_rate=16_000)
                    with pytest.raises(AsrError, match="streaming_paraformer"), client.stream():
                        pass  # which is not served here
                    continue
                with pytest.raises(RequestRejected, match="Bearer KEY"):
                    client.transcribe(np.zeros(16_000, np.float32), sample_rate=16_000)
    for child in psutil.Process(process.pid).children(recursive=True):
        assert "second" not in " ".join(child.cmdline())
    process.terminate()
    process.communicate(timeout=END_TIMEOUT_S)


def test_open_triton_says_what_it_means_and_keeps_its_control_closed(start):
    ports, process = start("--open-triton")
    said = read_until(process, "ready")
    assert "can end this server with one small request" in said
    for path in ("v2/logging", "v2/repository/index", "v2/systemsharedmemory/status"):
        with pytest.raises(HTTPError, match="403"):
            urlopen(
                Request(
                    f"http://127.0.0.1:{ports[0]}/{path}",
                    method="POST" if "index" in path else "GET",
                ),
                timeout=END_TIMEOUT_S,
            )
    with Client(f"grpc://127.0.0.1:{ports[1]}") as client:
        client.check_ready("sensevoice")
    process.terminate()
    process.communicate(timeout=END_TIMEOUT_S)


def test_a_temporary_folder_without_programs_is_named(start, tmp_path, monkeypatch):
    folder = tmp_path / "noexec"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        monkeypatch.setenv("TMPDIR", str(folder))
        _, process = start()
        said, _ = process.communicate(timeout=END_TIMEOUT_S)
        assert process.returncode == 1
        assert f"{folder} is mounted noexec" in said
        assert "TMPDIR names another folder" in said
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_log_that_cannot_be_written_is_named(start):
    _, process = start("--log", "/proc/server.log")
    said, _ = process.communicate(timeout=END_TIMEOUT_S)
    assert process.returncode == 1
    assert "/proc/server.log: the log cannot be written" in said
    assert "--log names another file, or - for standard error" in said
    assert "Traceback" not in said


def test_nothing_but_the_temporary_folder_is_written(repository, tmp_path):
    """As without root's rights in a read-only tree: root without capabilities obeys modes."""
    for path in [repository, *repository.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir(mode=0o555)
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m"]
    command += ["asr_server", "serve", "--model-repository", str(repository), "--log", "-"]
    command += ["--http-port=0", "--grpc-port=0", "--metrics-port=0"]
    folders = {"TMPDIR": str(work), "HOME": str(home), "TRITON_ASR_HOME": str(home / "none")}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **folders, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        said = read_until(process, "ready")
    finally:
        process.terminate()
        process.communicate(timeout=END_TIMEOUT_S)
        for path in [home, repository, *repository.rglob("*")]:
            path.chmod(0o755)
    assert re.search(r"HTTP +http://127\.0\.0\.1:\d{4,5}\n", said)
    assert not list(home.iterdir())
    assert "Traceback" not in said
