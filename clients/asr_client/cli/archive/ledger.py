"""The ledger of an archive: which recordings are settled, beside their results.

Results are written in parts, and with each a part of the ledger that says whose they are:

    job.json                  what was asked for
    results/00000001.jsonl    lines of results
    ledger/00000001.jsonl     {"id": …, "file": …, "state": "done" | "failed", …} a line

A part of the results counts once the ledger's part of the same number is there, which is written
after it. Each file is there whole or not at all. So whatever dies, and whenever, a recording is
either settled, with all of its lines in one part, or it is left and none of its lines counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...text import json_line
from ..common import UsageError
from ..output import OutputError
from .folder import Folder
from .manifest import Entry
from .settling import Done, Settled

JOB = "job.json"
RESULTS, LEDGER = "results", "ledger"
SCHEMA_VERSION = 1

# What may wait for the next part: it is lost, and done again, if this process is killed.
MOST_CHARACTERS = 32 << 20


class Ledger:
    """Settles recordings, for one run that writes to a folder.

    Args:
        folder: of the results.
        suffix: of their files.
        job: what was asked for, as JSON has it; of all runs in a folder it is the same.

    Attributes:
        states: id → (`Entry.content`, whether it has a result) of what is settled for good.

    Raises:
        UsageError: the folder holds results of something else, or what this does not know.
    """

    def __init__(self, folder: Folder, suffix: str, job: Mapping[str, Any]) -> None:
        self._folder = folder
        self._suffix = suffix
        self._results: list[str] = []
        self._lines: list[str] = []
        self.states: dict[str, tuple[str, bool]] = {}
        self._begin(job)
        self._number = self._read()
        self._drop_unfinished()

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it must not wait longer."""
        return sum(map(len, self._results)) > MOST_CHARACTERS

    def left(self, entries: list[Entry], *, again: bool = False) -> list[Entry]:
        """Return those of a manifest that are not settled.

        Args:
            entries: of the manifest.
            again: whether those that failed are left, too.

        Raises:
            UsageError: an id was that of another file, or of other stretches of it.
        """
        left = []
        for entry in entries:
            was, has_result = self.states.get(entry.key, (None, False))
            if was is not None and was != entry.content:
                raise UsageError(
                    f"{self._folder.name}: {entry.key!r} was {was}, and is {entry.content} "
                    "now; give another --output-dir or another id"
                )
            if was is None or (again and not has_result):
                left.append(entry)
        return left

    def add(self, entry: Entry, settled: Settled) -> None:
        """Settle a recording with the next part."""
        line: dict[str, Any] = {"id": entry.key, "file": entry.content}
        if isinstance(settled, Done):
            self._results.append(settled.text)
            line |= {"state": "done", "duration_s": round(settled.duration_s, 3)}
            line |= {"took_s": round(settled.took_s, 3)}
        else:
            line |= {"state": "failed", "error": settled.error}
        self._lines.append(json_line(line) + "\n")
        self.states[entry.key] = entry.content, isinstance(settled, Done)

    def commit(self) -> None:
        """Write what was added as the next part; when this returns, it is kept.

        Raises:
            OutputError: it cannot be written, or another run has written that part. A folder on a
                disk is locked; in an object store this is what is noticed.
        """
        if not self._lines:
            return
        # Cleared first, so that a run that is interrupted here commits nothing twice: what was not
        # written is left for the next run.
        results, lines = "".join(self._results), "".join(self._lines)
        self._results, self._lines = [], []
        self._number += 1
        part = f"{self._number:08d}"
        if self._folder.read(f"{LEDGER}/{part}.jsonl") is not None:
            raise OutputError(
                f"--output-dir {self._folder.name}: {LEDGER}/{part}.jsonl is there already: "
                "another run writes there"
            )
        if results:
            self._folder.write(f"{RESULTS}/{part}{self._suffix}", results)
        self._folder.write(f"{LEDGER}/{part}.jsonl", lines)

    def _begin(self, job: Mapping[str, Any]) -> None:
        """Write down what is asked for, or compare it with what was."""
        wanted = {"schema_version": SCHEMA_VERSION, **job}
        text = self._folder.read(JOB)
        if text is None:
            if self._folder.names(LEDGER):
                raise UsageError(f"{self._folder.name}: expected {JOB} beside {LEDGER}/; got none")
            self._folder.write(JOB, json.dumps(wanted, ensure_ascii=False, indent=2) + "\n")
            return
        try:
            found = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{self._folder.name}/{JOB}: {error}") from error
        wanted = json.loads(json.dumps(wanted))  # lists for tuples, as they are read
        if not isinstance(found, dict) or found != wanted:
            was = found if isinstance(found, dict) else {}
            differ = [key for key in {**wanted, **was} if was.get(key) != wanted.get(key)]
            raise UsageError(
                f"{self._folder.name}: its results are of other options: "
                + ", ".join(f"{key} {was.get(key)!r}, now {wanted.get(key)!r}" for key in differ)
                + "; give another --output-dir, or --force to begin anew"
            )

    def _read(self) -> int:
        """Read all parts; return the number of the last."""
        names = self._folder.names(LEDGER)
        for name in names:
            if not name.removesuffix(".jsonl").isdecimal():
                raise UsageError(
                    f"{self._folder.name}/{LEDGER}: expected numbered parts; got {name!r}"
                )
            text = self._folder.read(f"{LEDGER}/{name}") or ""
            for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
                try:
                    entry = json.loads(line)
                    state = {"done": True, "failed": False}[entry["state"]]
                    self.states[entry["id"]] = entry["file"], state
                except (ValueError, KeyError, TypeError):
                    raise UsageError(
                        f"{self._folder.name}/{LEDGER}/{name}, line {number}: expected an object "
                        f"with id, file and state; got {line[:60]!r}"
                    ) from None
        return int(names[-1].removesuffix(".jsonl")) if names else 0

    def _drop_unfinished(self) -> None:
        """Remove the part of the results whose ledger was never written."""
        for name in self._folder.names(RESULTS):
            if name.split(".")[0] > f"{self._number:08d}":
                self._folder.remove(f"{RESULTS}/{name}")


def begin_anew(folder: Folder) -> None:
    """Remove what other runs wrote, such that it counts no more from the first step on."""
    for place in (LEDGER, RESULTS):
        for name in reversed(folder.names(place)):
            folder.remove(f"{place}/{name}")
    folder.remove(JOB)
