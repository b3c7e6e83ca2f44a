"""The demonstration runs from beginning to end and says what the samples say."""

from __future__ import annotations

import re
import subprocess
import sys

from asr_client import ErrorCount, count_errors
from asr_server.commands.demo_client import read_samples
from asr_server.places import ROOT

SENTENCE = re.compile(r"  \d+:\d\d\.\d - \d+:\d\d\.\d   \S.*[。？]")


def test_demo_recognises_the_samples_and_stops():
    finished = subprocess.run(
        [sys.executable, "-m", "scripts.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[-1] == "server stopped"
    offline, streamed = [], []
    for path, language, spoken in read_samples():
        if language == "zh":
            answer = next_line(lines, f"{path.name}   spoken", "  infer_pipeline ")
            offline.append(count_errors(spoken, answer.split(maxsplit=1)[1]))
            answer = next_line(lines, f"{path.name} as a stream", "  all ")
            streamed.append(count_errors(spoken, answer.split(maxsplit=3)[3]))
            partial = next_line(lines, f"{path.name} as a stream", "  heard ")
            assert len(partial.split(maxsplit=3)[3]) < len(spoken)
    place = next(i for i, line in enumerate(lines) if line.startswith("talk.ogg"))
    sentences = [line for line in lines[place:] if SENTENCE.fullmatch(line)]
    assert len(sentences) >= 8
    assert any(character.isdigit() for line in sentences for character in line.split()[-1])
    _, _, spoken = read_samples()[0]
    answer = next_line(lines, "websocket, mode 2pass", "  2pass-offline ")
    live = [count_errors(spoken, answer.split(maxsplit=1)[1].rstrip("。？"))]
    for counts in (offline, streamed, live):
        assert sum(counts, ErrorCount()).rate <= 0.1


def next_line(lines, after, start):
    """The first line that starts so, behind one that starts with `after`."""
    place = next(i for i, line in enumerate(lines) if line.startswith(after))
    return next(line for line in lines[place:] if line.startswith(start))
