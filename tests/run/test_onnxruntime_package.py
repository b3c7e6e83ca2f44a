"""GPUs as the driver's tool names them, and which ONNX Runtime goes with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asr_server.errors import InstallError
from asr_server.gpus import TOOL, usable_gpus
from asr_server.onnxruntime_package import describe_runtime, installed_packages, replacement

ONE = "0, NVIDIA H100 80GB HBM3, 580.65.06, 81559"
TWO = "1, NVIDIA L4, 580.65.06, 23034"


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A driver's tool that prints and ends as told; returns how to tell it."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def tell(*lines: str, status: int = 0) -> None:
        tool = tmp_path / TOOL
        printed = "\n".join(f"echo '{line}'" for line in lines)
        tool.write_text(f"#!/bin/sh\n{printed}\nexit {status}\n")
        tool.chmod(0o755)

    return tell


def test_gpus_are_those_of_the_driver(driver):
    driver(ONE, TWO, "2, [Unknown Error], 580.65.06, [N/A]")
    first, second = usable_gpus()
    assert str(first) == "GPU 0 (NVIDIA H100 80GB HBM3, 81559 MiB, driver 580.65.06)"
    assert (second.index, second.memory_mib) == (1, 23034)


def test_a_driver_that_does_not_fit_has_no_gpus(driver):
    driver("Failed to initialize NVML: Driver/library version mismatch", status=18)
    assert usable_gpus() == []


def test_hidden_gpus_are_none(driver, monkeypatch):
    driver(ONE)
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert usable_gpus() == []


def test_no_driver_no_gpus(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert usable_gpus() == []


def test_what_serves_is_said(driver):
    cpu, gpu = {"onnxruntime": "1.31.1"}, {"onnxruntime-gpu": "1.31.1"}
    assert describe_runtime(cpu, []) == (
        "no usable NVIDIA driver: serving on the CPU, with onnxruntime 1.31.1"
    )
    driver(ONE)
    gpus = usable_gpus()
    assert describe_runtime(gpu, gpus).endswith("serving there, with onnxruntime-gpu 1.31.1")
    assert describe_runtime(cpu, gpus).endswith(
        "onnxruntime 1.31.1 cannot use it: serving on the CPU. For the GPU: pip uninstall --yes "
        'onnxruntime && pip install "onnxruntime-gpu[cuda,cudnn]==1.31.1"'
    )


def test_both_packages_are_refused_with_the_cure(driver):
    both = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.0"}
    with pytest.raises(InstallError, match=r"got both.*&& pip install onnxruntime==1\.31\.1$"):
        describe_runtime(both, [])
    driver(ONE)
    assert replacement(both, usable_gpus()) == [
        ["uninstall", "--yes", "onnxruntime", "onnxruntime-gpu"],
        ["install", "onnxruntime-gpu[cuda,cudnn]==1.31.0"],
    ]


def test_one_package_that_fits_is_left_alone(driver):
    assert replacement({"onnxruntime": "1"}, []) == []
    assert replacement({"onnxruntime-gpu": "1"}, []) == []
    driver(ONE)
    assert replacement({"onnxruntime-gpu": "1"}, usable_gpus()) == []


def test_this_environment_has_one():
    assert len(installed_packages()) == 1


@pytest.mark.soak
def test_really_installed_together(tmp_path):
    """Both packages in an environment of their own: named, and put right by `make`'s command."""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python"

    def pip(*words: str) -> None:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *words], check=True)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([python, *words], cwd=root, capture_output=True, text=True)

    version = installed_packages()["onnxruntime"]
    pip("--no-deps", f"onnxruntime-gpu=={version}")
    pip(f"onnxruntime=={version}")  # the last one wins: no CUDA any more
    listed = "import onnxruntime; print(onnxruntime.get_available_providers())"
    assert "CUDAExecutionProvider" not in run("-c", listed).stdout
    says = (
        "from asr_server.onnxruntime_package import *;"
        "print(describe_runtime(installed_packages(), []))"
    )
    assert "got both" in run("-c", says).stderr
    settled = run("-m", "scripts.settle_onnxruntime")
    assert settled.returncode == 0, settled.stderr
    assert f"serving on the CPU, with onnxruntime {version}" in settled.stdout
    assert "CPUExecutionProvider" in run("-c", listed).stdout
