"""The results page, put together from the files that the measurements wrote."""

from __future__ import annotations

import json
from pathlib import Path

INTRODUCTION = """# Benchmarks

Written by `python -m scripts.benchmark page` from the files in `docs/benchmarks/`; do not edit.

Figures are ratios within one run on one machine: contestants take turns on the same recordings
(lengths like AISHELL-1's, seeded), weights and cores. The models are of full size with random
weights, exported by FunASR's own classes: they cost what the published ones cost and say nothing
sensible. "Bare" is the front end (`kaldi-native-fbank`) and an onnxruntime session on the graph
that the server runs, in one process.

```sh
.venv/bin/pip install -e ".[benchmark]"
python -m scripts.export_random_models paraformer sensevoice paraformer_online --size full
```
"""


def write_page(folder: Path, target: Path) -> None:
    """Write the page.

    Args:
        folder: holds a JSON file for each run, as `scripts.benchmark` writes it, pictures of the
            same name, and perhaps `notes.md`.
        target: the page.

    Raises:
        FileNotFoundError: there is no run.
    """
    runs = sorted(folder.glob("*.json"))
    if not runs:
        raise FileNotFoundError(f"{folder}: expected JSON files of scripts.benchmark, got none")
    parts = [INTRODUCTION]
    notes = folder / "notes.md"
    if notes.exists():
        parts.append(notes.read_text(encoding="utf-8"))
    for path in runs:
        parts.append(_section(path, target))
    target.write_text("\n".join(parts), encoding="utf-8")


def _section(path: Path, target: Path) -> str:
    """One run: command, machine, tables, picture."""
    run = json.loads(path.read_text(encoding="utf-8"))
    machine = "; ".join(f"{key} {value}" for key, value in run["machine"].items())
    lines = [f"## {path.stem}", "", "```sh", run["command"], "```", "", f"{machine}.", ""]
    picture = path.with_suffix(".png")
    if picture.exists():
        lines += [f"![{path.stem}]({picture.relative_to(target.parent)})", ""]
    return "\n".join([*lines, *run["sections"]])
