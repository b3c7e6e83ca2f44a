"""A folder with a file for each result, so that an interrupted batch can go on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .common import UsageError
from .input_files import InputFile


class OutputFolder:
    """Writes each result into a file of its own, whole or not at all.

    The name is the recording's, with the format as its suffix: `talk.mp4` → `talk.srt`, below
    the folder where a directory was given, or the id of a wav.scp.

    Args:
        path: made if it is not there.
        style: the format.

    Raises:
        UsageError: it cannot be made, or two results would have the same name.
    """

    def __init__(self, path: str, style: str, sources: Sequence[InputFile]) -> None:
        self._folder = Path(path)
        self._style = style
        results: dict[Path, InputFile] = {}
        for source in sources:
            other = results.setdefault(self.path_for(source), source)
            if other is not source:
                raise UsageError(
                    f"--output-dir: {other.path} and {source.path} would both be written to "
                    f"{self.path_for(source)}; name them in a --wav-scp"
                )
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--output-dir {path}: {error.strerror or error}") from error

    def path_for(self, source: InputFile) -> Path:
        """Return where the result of a recording is, or will be."""
        return self._folder / f"{source.output_name}.{self._style}"

    def is_done(self, source: InputFile) -> bool:
        """Return whether the result is there."""
        return self.path_for(source).is_file()

    def write(self, source: InputFile, parts: Iterable[str]) -> None:
        """Write a result; nothing of it is seen under its name before all is on the disk.

        Raises:
            UsageError: it cannot be written; what `parts` raises.
        """
        path = self.path_for(source)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = partial.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--output-dir: {path}: {error.strerror or error}") from error
        try:
            with file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
