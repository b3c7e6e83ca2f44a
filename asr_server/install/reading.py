"""Lets an installed model read recordings whose text is known.

A comparison with FunASR's runtime on the same files cannot see what is wrong in these files: a
vocabulary with an entry exchanged says the same wrong characters in both. Only speech can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from asr_contract import SAMPLE_RATE, ErrorCount, count_errors
from asr_contract.error_rate import normalize
from asr_core.features import Waveform
from asr_core.sensevoice import strip_tags
from asr_server.errors import InstallError
from asr_server.install.installed import (
    Answers,
    Material,
    load_paraformer,
    load_paraformer_online,
    load_sensevoice,
)
from asr_server.models import ModelKind
from asr_server.models.examples import example_files, example_text
from asr_server.places import SAMPLES
from asr_server.recordings import read_recordings

HIGHEST_ERROR_RATE = 0.15
"""Of the characters of all recordings, marks and spaces left out: published int8 models read the
hubs' examples within it, a wrong vocabulary misses most characters."""

HIGHEST_OF_ONE = 0.5
"""Of the characters of each: a text that is not what one recording says is not made up for by the
others."""

# SenseVoice writes numbers in figures or in words; a text may have either.
_READERS: dict[str, Sequence[Callable[[Path], Answers]]] = {
    "sensevoice": (load_sensevoice, partial(load_sensevoice, text_norm="woitn")),
    "paraformer": (load_paraformer,),
    "paraformer-online": (load_paraformer_online,),
}


@dataclass(frozen=True)
class Spoken:
    """A recording and what is said in it.

    Attributes:
        file: its name, for messages.
        samples: float32 [samples] at 16 kHz.
        text: what is said.
    """

    file: str
    samples: Waveform
    text: str


@dataclass(frozen=True)
class Reading:
    """How a model read one recording."""

    file: str
    text: str
    read: str
    error_rate: float


@dataclass(frozen=True)
class SpeechProof:
    """How a model read all of them.

    Attributes:
        readings: one a recording.
        error_rate: over all characters.
        highest_error_rate: what it may be.
    """

    readings: Sequence[Reading]
    error_rate: float
    highest_error_rate: float = HIGHEST_ERROR_RATE

    def __str__(self) -> str:
        count = len(self.readings)
        return (
            f"proved by speech: {count} recording{'s' * (count != 1)} read, error rate "
            f"{self.error_rate:.1%} (at most {self.highest_error_rate:.0%})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def given_proofs(kind: ModelKind, pairs: Sequence[tuple[Path, str]]) -> list[Spoken]:
    """Read the recordings that the user gave with their texts.

    Raises:
        InstallError: a file cannot be read, a text is empty, or the model does not read speech.
    """
    if pairs and kind.name not in _READERS:
        raise InstallError(f"--proof: a {kind.name} model does not read speech; expected none")
    recordings = read_recordings([path for path, _ in pairs])
    for path, text in pairs:
        if not normalize(text):
            raise InstallError(f"--proof {path}: expected what is said in it, got {text!r}")
    return [
        Spoken(str(path), samples, text)
        for (path, text), samples in zip(pairs, recordings, strict=True)
    ]


def shipped_proofs(kind: ModelKind, directories: Sequence[Path]) -> list[Spoken]:
    """Return the recordings in a model's folders whose text is known.

    The embedded models have those of `embedded_models/samples` in the languages they know.
    """
    if kind.name not in _READERS:
        return []
    if kind.embedded.resolve() in [directory.resolve() for directory in directories]:
        return _samples(kind)
    found = []
    for file in example_files(kind.name):
        for directory in directories:
            path = directory / file
            if path.is_file():
                try:
                    (samples,) = read_recordings([path])
                except InstallError:
                    continue  # of another sample rate, or no audio: nothing that could be known
                text = example_text(kind.name, file, len(samples) / SAMPLE_RATE)
                if text is not None:
                    found.append(Spoken(file, samples, text))
                break
    return found


def _samples(kind: ModelKind) -> list[Spoken]:
    lines = (SAMPLES / "transcripts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    known = [row for row in rows if kind.name == "sensevoice" or row[1] == "zh"]
    recordings = read_recordings([SAMPLES / name for name, _, _ in known])
    return [
        Spoken(name, samples, text)
        for (name, _, text), samples in zip(known, recordings, strict=True)
    ]


def prove_by_speech(
    kind: ModelKind, repository: Path, spoken: Sequence[Spoken]
) -> SpeechProof | None:
    """Let an installed model read recordings; None where there is none.

    Args:
        kind: of the model.
        repository: where it is installed.
        spoken: what to read.

    Raises:
        InstallError: it reads nothing, or too much is wrong.
    """
    if not spoken:
        return None
    material = Material([one.samples for one in spoken], [])
    answers = [load(repository)(material) for load in _READERS[kind.name]]
    readings = [
        min((_read(one, strip_tags(text)) for text in texts), key=lambda read: read.error_rate)
        for one, *texts in zip(spoken, *answers, strict=True)
    ]
    for reading in readings:
        if not normalize(reading.read):
            raise InstallError(
                f"{reading.file}: the model reads nothing; expected {reading.text!r}"
            )
    rate = sum((count_errors(one.text, one.read) for one in readings), ErrorCount()).rate
    worst = max(readings, key=lambda reading: reading.error_rate)
    if rate > HIGHEST_ERROR_RATE or worst.error_rate > HIGHEST_OF_ONE:
        raise InstallError(
            f"the model does not read what is said: error rate {rate:.0%}, expected at most "
            f"{HIGHEST_ERROR_RATE:.0%}, and {HIGHEST_OF_ONE:.0%} in each recording; {worst.file} "
            f"({worst.error_rate:.0%}): expected {worst.text!r}, read {worst.read!r}"
        )
    return SpeechProof(readings, rate)


def not_proved(kind: ModelKind) -> str:
    """Say that a model was not proved by speech, and how it could be."""
    if kind.name not in _READERS:
        return f"not proved by speech: a {kind.name} model does not read any"
    return (
        "not proved by speech: the model came without a recording whose text is known "
        "(--proof WAV TEXT gives one)"
    )


def _read(spoken: Spoken, text: str) -> Reading:
    return Reading(spoken.file, spoken.text, text, count_errors(spoken.text, text).rate)
