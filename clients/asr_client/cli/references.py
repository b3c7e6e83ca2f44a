"""Reads the transcript file of `--compute-cer` and scores the results against it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from asr_contract import ErrorCount, count_errors

from .common import UsageError
from .input_files import InputFile, read_lines

_ID_COLUMNS = ("id", "file", "path", "utt", "utterance")


def read_references(path: str) -> dict[str, str]:
    """Return id → text from a transcript file.

    Two forms are read. With a tab in the first line it is TSV: if that line names a column
    "text" and one of "id", "file", "path", those columns count, else the first column is the id
    and the last the text. Otherwise it is Kaldi's: the id, then the text.

    Raises:
        UsageError: it cannot be read, is empty, or repeats an id.
    """
    lines = [(number, line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    if not lines:
        raise UsageError(f"{path}: expected transcripts; got an empty file")
    id_column, text_column = 0, -1
    is_tsv = "\t" in lines[0][1]
    if is_tsv:
        header = [name.strip().lower() for name in lines[0][1].split("\t")]
        id_names = [name for name in header if name in _ID_COLUMNS]
        if "text" in header and id_names:
            id_column, text_column = header.index(id_names[0]), header.index("text")
            lines = lines[1:]
    references: dict[str, str] = {}
    for number, line in lines:
        fields = line.rstrip("\r").split("\t") if is_tsv else line.strip().split(maxsplit=1)
        if is_tsv and len(fields) <= max(id_column, text_column, 1):
            raise UsageError(f"{path}, line {number}: expected an id and a text; got {line!r}")
        utterance_id = fields[id_column].strip()
        if utterance_id in references:
            raise UsageError(f"{path}, line {number}: id {utterance_id!r} is there twice")
        # A Kaldi line that holds only the id says that nothing was spoken.
        references[utterance_id] = fields[text_column].strip() if len(fields) > 1 else ""
    return references


def reference_for(references: dict[str, str], source: InputFile) -> str | None:
    """Return the reference of a recording, found by its id, path, file name or stem."""
    path = Path(source.path)
    for key in (source.utterance_id, source.path, path.name, path.stem):
        if key in references:
            return references[key]
    return None


@dataclass
class Score:
    """The running character error rate over recordings.

    Attributes:
        count: edits and reference characters so far.
        scored: recordings that have a reference.
        failed: those among them without a result; all their characters count as deletions.
        unreferenced: recordings without a reference; they do not count.
    """

    count: ErrorCount
    scored: int = 0
    failed: int = 0
    unreferenced: int = 0

    def add(self, reference: str | None, hypothesis: str | None) -> None:
        """Add one recording; `hypothesis` is None where recognition failed."""
        if reference is None:
            self.unreferenced += 1
            return
        self.scored += 1
        self.failed += hypothesis is None
        self.count += count_errors(reference, hypothesis or "")

    def summary(self) -> str:
        """Return the line to print."""
        count = self.count
        line = (
            f"CER {100 * count.rate:.2f} % ({count.errors} / {count.reference_length} characters: "
            f"{count.substitutions} substituted, {count.deletions} deleted, "
            f"{count.insertions} inserted; {self.scored} recordings"
        )
        if self.failed:
            line += f", {self.failed} of them failed and count as deleted"
        if self.unreferenced:
            line += f"; {self.unreferenced} without a reference left out"
        return line + ")"
