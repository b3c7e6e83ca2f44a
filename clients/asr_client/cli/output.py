"""Where results are written to: stdout, or a file that is never left half written."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TextIO

from .common import UsageError
from .input_files import STDIN
from .partial_file import PartialFile, open_text

_STDIN, _STDOUT, _STDERR = 0, 1, 2  # file descriptors


class OutputError(Exception):
    """What was recognised cannot be written, for lack of space for example."""


class Output:
    """Takes text, and says of an error what could not be written."""

    def __init__(self, file: TextIO | PartialFile, name: str) -> None:
        self._file = file
        self._name = name
        self._has_result = False
        self._has_failed = False

    @property
    def terminal(self) -> TextIO | None:
        """The terminal that is written to; None if it is something else."""
        file = self._file
        return None if isinstance(file, PartialFile) or not file.isatty() else file

    def write(self, text: str) -> None:
        """Write text at once.

        Raises:
            OutputError: it cannot be written.
            BrokenPipeError: nobody reads any more.
        """
        try:
            with told(self._name):
                self._file.write(text)
                self._file.flush()
        except OutputError:
            self._has_failed = True
            raise

    def keep(self) -> None:
        """Say that there is a result: the file replaces what was there."""
        self._has_result = True

    @property
    def kept(self) -> bool:
        """Whether there is a result, written without an error."""
        return self._has_result and not self._has_failed


@contextmanager
def told(name: str) -> Iterator[None]:
    """Say of an error of writing what it was that could not be written.

    Raises:
        OutputError: in place of OSError, but BrokenPipeError.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{name}: {error.strerror or error}") from error


@contextmanager
def open_output(path: str | None, read: Iterable[str]) -> Iterator[Output]:
    """Open what results are written to: stdout without a path.

    A file is written beside and takes its place at the end, if there is something to be kept;
    else what was there stays. A pipe, a device, and what stdout or stderr is already
    (`/dev/stdout`, whatever that is) are written to as they are.

    Args:
        path: of --output.
        read: files that the command reads, which must not be written to; `-` is standard input.

    Raises:
        UsageError: it cannot be opened, or is one of `read`.
        OutputError: it cannot be written.
    """
    if path is None:
        yield Output(sys.stdout, "standard output")
        return
    name = f"--output {path}"
    refuse_inputs(name, [path], read)
    with ExitStack() as stack:
        file: TextIO | PartialFile
        try:
            if (stream := _standard_stream(path)) is not None:
                file = open_text(os.dup(stream), "w")
                stack.callback(_close, file)
            elif os.path.exists(path) and not _is_ordinary(path):
                file = open_text(path, "w")
                stack.callback(_close, file)
            else:
                file = stack.enter_context(PartialFile(path))
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror or error}") from error
        output = Output(file, name)
        try:
            yield output
        finally:
            # Also when the server is lost in the middle: what was recognised stays.
            if output.kept and isinstance(file, PartialFile):
                with told(name):
                    file.commit()


def _close(file: TextIO) -> None:
    """Close a file; what it could not write was told when it was written."""
    with suppress(OSError):
        file.close()


def refuse_inputs(
    name: str, written: Iterable[str | os.PathLike[str]], read: Iterable[str]
) -> None:
    """Raise UsageError if a file that is to be written is one of those that are read.

    Args:
        name: of the option that says where to write.
        written: paths.
        read: paths.
    """
    existing = {identity: path for path in written if (identity := _identity(path)) is not None}
    if not existing:
        return
    for path in read:
        is_stdin = path == STDIN
        identity = _identity(_STDIN if is_stdin else path)
        if identity in existing:
            shown = "standard input" if is_stdin else path
            raise UsageError(f"{name}: would overwrite {shown}, which is read; name another file")


def _identity(path: str | os.PathLike[str] | int) -> tuple[int, int] | None:
    """Return what a file has in common with its other names; None if there is no such file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _standard_stream(path: str) -> int | None:
    """Return the descriptor of stdout or stderr where a path is what it writes to.

    The file that a shell opened for it keeps what others write there, before and behind.
    """
    for descriptor in (_STDOUT, _STDERR):
        with suppress(OSError, ValueError):
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor
    return None


def _is_ordinary(path: str) -> bool:
    """Return whether a path is a file, or a folder, which is refused like one that cannot be."""
    mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
