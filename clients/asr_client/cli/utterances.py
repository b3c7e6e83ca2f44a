"""What `triton-asr transcribe` is asked to recognise: files, and lists of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .common import UsageError


@dataclass(frozen=True)
class Utterance:
    """A recording to recognise: its path, and the name it goes by in Kaldi's formats.

    `label` is what the text format prints: the path, or the id that a wav.scp gives.
    """

    path: str
    utterance_id: str
    label: str


def collect(files: Sequence[str], scp_files: Sequence[str]) -> list[Utterance]:
    """Return the recordings in the order they were named; a file `*.scp` is a list.

    Raises:
        UsageError: there is none, or a list cannot be read.
    """
    utterances: list[Utterance] = []
    for name in files:
        if name.endswith(".scp"):
            utterances += read_wav_scp(name)
        else:
            # A Kaldi id ends at the first space, so a name with spaces needs another character.
            utterance_id = "_".join(Path(name).stem.split()) or name
            utterances.append(Utterance(name, utterance_id, name))
    for name in scp_files:
        utterances += read_wav_scp(name)
    if not utterances:
        raise UsageError("nothing to transcribe: give files or --wav-scp")
    return utterances


def read_wav_scp(scp_path: str) -> list[Utterance]:
    """Read a Kaldi wav.scp: `id path` a line; paths are relative to the working directory.

    Raises:
        UsageError: it cannot be read, a line is malformed, an id is repeated, or a line is a
            shell pipe (`id command |`), which is never run.
    """
    utterances: list[Utterance] = []
    first_line_of: dict[str, int] = {}
    for number, line in enumerate(read_lines(scp_path), 1):
        if not line.strip():
            continue
        where = f"{scp_path}, line {number}"
        fields = line.split(maxsplit=1)
        if len(fields) != 2:
            raise UsageError(f"{where}: expected 'id path'; got {line.strip()!r}")
        utterance_id, path = fields[0], fields[1].strip()
        if path.endswith("|") or path.startswith("|"):
            raise UsageError(
                f"{where}: {utterance_id} is a shell command (it has a '|'); commands are not "
                "run: write their output to a file and name that"
            )
        if utterance_id in first_line_of:
            raise UsageError(
                f"{where}: id {utterance_id!r} is already on line {first_line_of[utterance_id]}"
            )
        first_line_of[utterance_id] = number
        utterances.append(Utterance(path, utterance_id, utterance_id))
    return utterances


def require_distinct_ids(utterances: Iterable[Utterance]) -> None:
    """Raise UsageError if two recordings go by the same id, where ids are what is printed."""
    counts = Counter(utterance.utterance_id for utterance in utterances)
    repeated = [utterance_id for utterance_id, count in counts.items() if count > 1]
    if repeated:
        raise UsageError(
            f"two recordings go by the id {repeated[0]!r}; give ids of your own with --wav-scp"
        )


def read_lines(path: str) -> list[str]:
    """Return the lines of a UTF-8 text file, or raise UsageError."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected UTF-8 text; {error.reason}") from error
