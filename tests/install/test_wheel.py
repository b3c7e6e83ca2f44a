"""What people install: built from a copy of the checkout, used outside of it in an empty folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest

from asr_contract import count_errors
from asr_server.places import ROOT, SAMPLES
from asr_server.run import held_ports
from tests.processes import read_until

TIMEOUT_S = 600  # what should happen, on however slow a machine
WEIGHTS = "model_repo_sensevoice/sensevoice_encoder/1/model.onnx"
HOTWORDS = "model_repo_paraformer_offline/paraformer_feature_extractor/hotwords.txt"
NOT_COPIED = (".git", ".venv", ".cache", "build", "dist", "docs", "tests", "lab", "*.egg-info")


class Installation:
    """A virtual environment of its own, and a user's empty home and working folder."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self._bin = folder / "venv" / "bin"
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)

    def install(self, *requirements: str) -> None:
        """Install by `pip`, in the versions that the project is tested with."""
        command = [self._bin / "pip", "install", "--quiet", "--no-compile"]  # few are imported
        command += ["-c", ROOT / "constraints.txt", *requirements]
        subprocess.run(command, check=True, timeout=TIMEOUT_S, env=environment())

    def run(self, *command: object, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run one of its commands to the end, with further environment variables."""
        return subprocess.run(
            self.command(command),
            cwd=self.work,
            env={**self.environment, **{name: str(value) for name, value in variables.items()}},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )

    def command(self, words) -> list[str]:
        """Return a command line of this environment."""
        program, *arguments = words
        return [str(self._bin / program), *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables: the user's home is the empty one."""
        return {**environment(), "HOME": str(self.home)}


def environment() -> dict[str, str]:
    """Return this process's environment without what leads to the checkout or to other data."""
    left_out = ("PYTHONPATH", "XDG_DATA_HOME", "TRITON_ASR_HOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in left_out}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The source distribution of a checkout that serves, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("build")
    checkout, built = folder / "checkout", folder / "dist"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (checkout / WEIGHTS).write_bytes(b"weights that somebody installed")
    (checkout / HOTWORDS).write_text("secret")
    tools = Installation(folder)
    tools.install("hatchling")
    hatchling = tools.command(["hatchling", "build", "--target", "sdist", "--directory", built])
    subprocess.run(hatchling, cwd=checkout, env=environment(), check=True)
    (sdist,) = built.glob("*.tar.gz")
    pip = tools.command(["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", built, sdist])
    subprocess.run(pip, cwd=folder, env=environment(), check=True, timeout=TIMEOUT_S)
    (wheel,) = built.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installation(distributions, tmp_path_factory):
    """The wheel in an empty environment, without any extra."""
    _, wheel = distributions
    installed = Installation(tmp_path_factory.mktemp("user"))
    installed.install(str(wheel))
    return installed


@pytest.fixture(scope="module")
def with_extras(distributions, installation):
    """The same, with what a server and a gateway need."""
    _, wheel = distributions
    installation.install(f"{wheel}[server,gateway]")
    return installation


def test_the_wheel_holds_what_is_served_and_nothing_that_is_installed(distributions):
    sdist, wheel = distributions
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = "asr_server/shipped"
    for name in (
        "asr_client/py.typed",
        "asr_gateway/static/index.html",
        f"{shipped}/backends/onnxruntime/model.py",
        f"{shipped}/embedded_models/vad/model.onnx",
        f"{shipped}/model_repo_auxiliary/vad/1/model.py",
        f"{shipped}/model_repo_sensevoice/sensevoice_encoder/config.pbtxt",
    ):
        assert name in names
    assert f"{shipped}/{WEIGHTS}" not in names
    assert f"{shipped}/{HOTWORDS}" not in names
    assert not [name for name in names if name.endswith(".pt") or name.startswith(("lab", "tests"))]
    assert wheel.stat().st_size < 40e6 and sdist.stat().st_size < 40e6


def test_without_extras_the_commands_say_what_is_missing(installation):
    for program in ("triton-asr", "triton-asr-server"):
        assert installation.run(program, "--help").returncode == 0
    for extra, *words in (
        ("server", "serve"),
        ("server", "install", "vad"),
        ("server", "prepare", "model.onnx", "prepared.onnx"),
        ("server", "convert", "a.onnx", "b.onnx", "--precision", "int8", "--wav", "a.wav"),
        ("gateway", "serve", "--gateway"),
        ("gateway", "demo"),
        ("docker", "serve", "--docker"),
    ):
        assert installation.run("triton-asr-server", words[0], "--help").returncode == 0
        result = installation.run("triton-asr-server", *words)
        assert result.returncode == 1
        assert f'pip install "triton-asr[{extra}]"' in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not list(installation.work.iterdir())


def test_mypy_finds_the_client(installation):
    program = installation.work / "program.py"
    program.write_text('import asr_client\nreveal_type(asr_client.Client("grpc://a:1"))\n')
    python = installation.command(["python"])[0]
    mypy = [sys.executable, "-m", "mypy", "--cache-dir", os.devnull, "--python-executable", python]
    checked = subprocess.run(
        [*mypy, program], cwd=installation.work, env=environment(), capture_output=True, text=True
    )
    program.unlink()
    assert 'Revealed type is "asr_client.' in checked.stdout, checked.stdout


def test_a_hub_needs_its_extra(with_extras, tmp_path):
    words = ("install", "vad", "--from", "fsmn-vad")
    result = with_extras.run("triton-asr-server", *words, TRITON_ASR_HOME=tmp_path / "home")
    assert result.returncode == 1
    assert f"model repositories are in {tmp_path}/home\n" in result.stdout
    assert 'pip install "triton-asr[hub]"' in result.stderr


def test_a_home_that_cannot_be_written_is_named(with_extras, tmp_path):
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    result = with_extras.run("triton-asr-server", "install", "list", TRITON_ASR_HOME=home)
    assert result.returncode == 1
    assert f"{home}: cannot be written (Not a directory); TRITON_ASR_HOME" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_it_serves_from_an_empty_folder(with_extras):
    with held_ports(4) as (http, grpc, metrics, gateway):
        ports = ["--http-port", http, "--grpc-port", grpc, "--metrics-port", metrics]
        words = ["serve", *ports, "--gateway", f"--gateway-option=--port={gateway}"]
        process = subprocess.Popen(
            with_extras.command(["triton-asr-server", *words]),
            cwd=with_extras.work,
            env={**with_extras.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = read_until(process, "ready")
    try:
        home = with_extras.home / ".local" / "share" / "triton-asr"
        assert f"model repositories are in {home}\n" in said
        result = with_extras.run(
            "triton-asr", "transcribe", SAMPLES / "zh_1.wav", "--url", f"grpc://127.0.0.1:{grpc}"
        )
        assert result.returncode == 0, result.stderr
        assert count_errors("帮我把报告发送给王芳", result.stdout.strip()).rate < 0.3
        with urlopen(f"http://127.0.0.1:{gateway}/healthz", timeout=TIMEOUT_S) as answer:
            assert answer.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert not list(with_extras.work.iterdir())
    assert {path.name for path in home.iterdir()} >= {"shipped.json", "tritonserver.log"}
