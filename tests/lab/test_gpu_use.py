"""The figures that a driver's tool gives while something runs."""

from __future__ import annotations

import time

from asr_server.gpus import TOOL
from lab.benchmark.gpu_use import GpuUse, GpuWatch, summed_up


def test_mean_and_highest():
    assert summed_up("50, 1000\n100, 3000\n[N/A], [N/A]\n30") == GpuUse(0.75, 3000)
    assert str(GpuUse(0.75, 3000)) == "75%, 3000 MiB"


def test_no_figures_are_none():
    assert summed_up("No devices were found\n") is None


def test_the_tool_is_read_until_the_block_ends(tmp_path, monkeypatch):
    tool = tmp_path / TOOL
    tool.write_text("#!/bin/sh\nwhile :; do echo '40, 512'; sleep 0.05; done\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with GpuWatch() as watch:
        time.sleep(0.3)
    assert watch.use == GpuUse(0.4, 512)


def test_no_tool_no_use(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with GpuWatch() as watch:
        pass
    assert watch.use is None
