"""The demonstration runs from beginning to end and says what the samples say."""

from __future__ import annotations

import subprocess
import sys

from asr_client import ErrorCount, count_errors
from scripts.demo import read_samples
from scripts.install_model import ROOT


def test_demo_recognises_the_samples_and_stops():
    finished = subprocess.run(
        [sys.executable, "-m", "scripts.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[-1] == "server stopped"
    counts = []
    for path, language, spoken in read_samples():
        said = lines[next(i for i, line in enumerate(lines) if line.startswith(path.name)) + 1 :]
        if language == "zh":
            answer = next(line for line in said if line.startswith("  infer_pipeline "))
            counts.append(count_errors(spoken, answer.split(maxsplit=1)[1]))
    assert counts
    assert sum(counts, ErrorCount()).rate <= 0.1
