"""What a language model costs each process: its files' pages, which all of them share."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from asr_core.language_models import estimate, save_ngrams

# Loads a model, reads every page of it, says so, and stays until its input ends.
READS_ALL = """
import sys
from pathlib import Path
from asr_core.language_models import NgramModel
folder, size = Path(sys.argv[1]), int(sys.argv[2])
model = NgramModel(folder, [f"t{number}" for number in range(size)])
for name in ("last_words", "log_probs", "backoffs", "children", "suffixes", "next_states"):
    sum(getattr(model, "_" + name)[::256])
print("read", flush=True)
sys.stdin.read()
"""
WORDS = 500


def mapped_kb(pid: int, folder: Path) -> dict[str, int]:
    """Return the sums of what Linux says of a process's maps of files in a folder, in kB."""
    sums: dict[str, int] = {}
    counted = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counted = str(folder) in line
        elif counted and (found := re.match(r"(\w+): +(\d+) kB", line)):
            sums[found[1]] = sums.get(found[1], 0) + int(found[2])
    return sums


def test_two_processes_share_one_copy(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sentences = [rng.integers(0, WORDS, 12).tolist() for _ in range(10_000)]
    ngrams = estimate(sentences, [f"t{number}" for number in range(WORDS)], 3)
    save_ngrams(ngrams, tmp_path)
    size_kb = sum(file.stat().st_size for file in tmp_path.glob("*.npy")) / 1024
    count = sum(ngrams.sizes)
    assert size_kb * 1024 < 24 * count + 2000  # and the headers of the files
    command = [sys.executable, "-c", READS_ALL, str(tmp_path), str(WORDS)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "read\n"
        for process in processes:
            mapped = mapped_kb(process.pid, tmp_path)
            assert mapped["Rss"] >= 0.95 * size_kb
            assert mapped["Private_Dirty"] + mapped["Private_Clean"] == 0
            assert mapped["Pss"] <= 0.55 * mapped["Rss"]
    finally:
        for process in processes:
            process.communicate()
