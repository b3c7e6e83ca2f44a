"""A process counts the cores that it may use, not those of its machine."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

import ort_cores

from asr_contract import cores


@pytest.mark.parametrize("usable_cores", [cores.usable_cores, ort_cores.usable_cores])
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "400000 100000\n"}, 4),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "20000 100000\n"}, 1),
        ({"cpu.max": "3200000 100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
    ],
)
def test_a_container_may_have_fewer(tmp_path, monkeypatch, usable_cores, files, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == expected


@pytest.mark.parametrize("usable_cores", [cores.usable_cores, ort_cores.usable_cores])
def test_it_is_at_most_what_the_kernel_allows(usable_cores):
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
