"""Writes the sample recordings and the small held-out set that CI tests with.

    python -m lab.training.samples

Samples are clean recordings a reader can listen to and send to the service; the test set is a
part of the held-out sets of evaluate.py, noisy and as FLAC.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from pathlib import Path

import soundfile

from asr_contract import SAMPLE_RATE

from .corpus import LANGUAGES
from .heldout_sets import TestUtterance, load_set, nonspeech_set

TEST_COUNTS = {"zh": 30, "en": 8, "yue": 8, "ja": 8, "ko": 8}
NONSPEECH_FILES = 10
LONGEST_TEST_S = 3.2
NONSPEECH_S = 2
SAMPLES = {"zh": (11, 14, 149), "en": (8,), "yue": (50,), "ja": (6,), "ko": (31,)}
"""Whole sentences of the held-out sets, by index: a command, a number, a question, …"""


def duration_s(utterance: TestUtterance) -> float:
    """Length of the recording in seconds."""
    return len(utterance.waveform("clean")) / SAMPLE_RATE


def write_table(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """A TSV of file, language and text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("file", "language", "text"))
        writer.writerows(rows)


def write_samples(cache: Path, directory: Path) -> None:
    """Clean sample recordings as 16-bit WAV."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = []
    for language in LANGUAGES:
        utterances = load_set(cache, language)
        for number, index in enumerate(SAMPLES[language], 1):
            utterance = utterances[index]
            name = f"{language}_{number}.wav"
            waveform = utterance.waveform("clean")
            soundfile.write(directory / name, waveform, SAMPLE_RATE, "PCM_16")
            rows.append((name, language, str(utterance.record["spoken"])))
    write_table(directory / "transcripts.tsv", rows)


def write_test_set(cache: Path, directory: Path) -> None:
    """Noisy held-out utterances and non-speech clips as FLAC."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = []
    for language, count in TEST_COUNTS.items():
        utterances = load_set(cache, language)
        short = [u for u in utterances if duration_s(u) <= LONGEST_TEST_S]
        for number, utterance in enumerate(short[:count], 1):
            name = f"{language}_{number:02d}.flac"
            waveform = utterance.waveform("noisy")
            soundfile.write(directory / name, waveform, SAMPLE_RATE, "PCM_16")
            rows.append((name, language, str(utterance.record["spoken"])))
    clips = [clip[: NONSPEECH_S * SAMPLE_RATE] for clip in nonspeech_set()]
    for number, clip in enumerate(clips[:NONSPEECH_FILES], 1):
        name = f"nonspeech_{number:02d}.flac"
        soundfile.write(directory / name, clip, SAMPLE_RATE, "PCM_16")
        rows.append((name, "nospeech", ""))
    write_table(directory / "manifest.tsv", rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(".cache/heldout"))
    parser.add_argument("--samples", type=Path, default=Path("embedded_models/samples"))
    parser.add_argument("--tests", type=Path, default=Path("tests/data/heldout"))
    arguments = parser.parse_args()
    write_samples(arguments.cache, arguments.samples)
    write_test_set(arguments.cache, arguments.tests)


if __name__ == "__main__":
    main()
