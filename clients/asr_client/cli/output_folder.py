"""A folder with a file for each result, so that an interrupted batch can go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from .common import UsageError
from .input_files import STDIN, InputFile
from .names import shortened
from .output import Output, refuse_inputs, told
from .partial_file import PartialFile


class OutputFolder:
    """Writes each result into a file of its own, whole or not at all.

    The name is the recording's, with the format as its suffix: `talk.mp4` → `talk.srt`, below
    the folder where a directory was given, or the id of a wav.scp.

    Args:
        path: made if it is not there.
        style: the format.
        sources: the recordings.
        read: files that the command reads, which must not be written to.

    Raises:
        UsageError: it cannot be made, a result would overwrite one of `read`, or two recordings
            of lists would have the same result.
    """

    def __init__(
        self, path: str, style: str, sources: Sequence[InputFile], read: Iterable[str]
    ) -> None:
        self._folder = Path(path)
        self._style = style
        results: dict[Path, InputFile] = {}
        for source in sources:
            other = results.setdefault(self.path_for(source), source)
            if other.path != source.path:
                raise UsageError(
                    f"--output-dir: {other.shown} and {source.shown} would both be written to "
                    f"{self.path_for(source)}; give them ids of their own"
                )
        refuse_inputs("--output-dir", results, read)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise UsageError(f"--output-dir {path}: is a file; expected a directory") from error
        except OSError as error:
            raise UsageError(f"--output-dir {path}: {error.strerror or error}") from error

    def path_for(self, source: InputFile) -> Path:
        """Return where the result of a recording is, or will be."""
        *folders, name = Path(source.output_name).parts or (source.output_name,)
        return self._folder.joinpath(*folders, shortened(name, f".{self._style}"))

    def is_done(self, source: InputFile) -> bool:
        """Return whether the result is there; standard input is another each time."""
        return source.label != STDIN and self.path_for(source).is_file()

    def write(self, source: InputFile, parts: Iterable[str]) -> None:
        """Write a result; nothing of it is seen under its name before all is on the disk.

        Raises:
            OutputError: it cannot be written; what `parts` raises.
        """
        path = self.path_for(source)
        name = f"--output-dir: {path}"
        with ExitStack() as stack:
            with told(name):
                path.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(PartialFile(path))
            output = Output(file, name)
            for part in parts:
                output.write(part)
            with told(name):
                file.commit()
