"""The clients that docs/clients.md lists, at the versions it names, against this project.

FUNASR_DIR=~/FunASR TRITON_ASR_CLIENT_DIR=~/Triton-ASR-Client pytest -m soak -s \
    tests/soak/test_published_clients.py

Installs packages from the registries of Python and Node.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from asr_server.places import ROOT
from tests.funasr_checkout import funasr_file

pytestmark = pytest.mark.soak


def test_published_clients_get_all_of_the_text(tmp_path):
    command = [sys.executable, "-m", "lab.published_clients", "--funasr", str(funasr_file())]
    if other := os.environ.get("TRITON_ASR_CLIENT_DIR"):
        command += ["--triton-asr-client", other]
    page = tmp_path / "clients.md"
    done = subprocess.run([*command, "--page", str(page)], cwd=ROOT, check=False)
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    wrong = [row for row in rows if "**" in row]
    if not other:
        wrong = [row for row in wrong if "no checkout (triton_asr_client)" not in row]
    assert wrong == [] and (done.returncode == 0 or not other)
