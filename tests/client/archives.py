"""Archives for tests: manifests of the sample recordings, and what is in a folder of results."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from asr_server.places import SAMPLES

RECORDINGS = sorted(SAMPLES.glob("*.wav"))


def write_manifest(folder: Path, count: int) -> Path:
    """Write a manifest of so many recordings with names of their own; the samples in turns."""
    audio = folder / "audio"
    audio.mkdir()
    rows = []
    for number in range(count):
        name = f"{number:04d}.wav"
        os.link(RECORDINGS[number % len(RECORDINGS)], audio / name)
        rows.append({"id": f"u{number:04d}", "audio_filepath": f"audio/{name}"})
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def committed(output: Path) -> int:
    """Return how many parts count."""
    return len([name for name in _listed(output / "ledger") if name[0] != "."])


def read_results(output: Path) -> list[dict[str, object]]:
    """Return the results of a folder in the order they are there, without their timings."""
    counting = {name.split(".")[0] for name in _listed(output / "ledger")}
    return without_timings(
        line
        for name in sorted(_listed(output / "results"))
        if name.split(".")[0] in counting
        for line in (output / "results" / name).read_text(encoding="utf-8").split("\n")[:-1]
    )


def without_timings(lines: Sequence[str]) -> list[dict[str, object]]:
    """Return the objects of JSON lines but for how long they took."""
    results = [json.loads(line) for line in lines]
    for result in results:
        del result["timings"]
    return results


def _listed(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []
