"""Triton-ASR-Client's client.py, and what it wrote."""

import runpy
import sys
from pathlib import Path

checkout, *arguments = sys.argv[1:]
sys.path.insert(0, checkout)
sys.argv = ["client.py", *arguments]
runpy.run_path(f"{checkout}/client.py", run_name="__main__")
for path in Path().rglob("recogs-*.txt"):
    print(path.read_text(encoding="utf-8"))
