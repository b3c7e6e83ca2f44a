"""A file that appears under its name whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Literal, TextIO


def open_text(path: str | os.PathLike[str] | int, mode: Literal["w", "x"]) -> TextIO:
    """Open a text file, by its name or its descriptor, to write.

    What a file's name in it has that is not UTF-8 goes out as it was.
    """
    return open(path, mode, encoding="utf-8", errors="surrogateescape")


class PartialFile:
    """Text written beside a file, which takes its place with `commit`.

        with PartialFile(path) as file:
            file.write("…")
            file.commit()

    Left without `commit`, in whatever way, it leaves the file that was there as it was. A link is
    followed, and the permissions of the former file are kept.

    Raises:
        OSError: it cannot be written; on entering if the folder or its rights do not allow it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._names_folder = os.fspath(path).endswith(os.sep)
        self._path = Path(os.path.realpath(path))
        # Short, whatever the name: the two together might be longer than a file system allows.
        self._partial = self._path.parent / f".{secrets.token_hex(6)}.partial"

    def __enter__(self) -> PartialFile:
        mode = None
        if self._names_folder or self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._path))
        if self._path.exists():
            mode = stat.S_IMODE(self._path.stat().st_mode)
            if not os.access(self._path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._path))
        try:
            self._file = open_text(self._partial, "x")
            if mode is not None:
                self._partial.chmod(mode)
        except PermissionError as error:
            reason = f"{error.strerror} in its folder, where it is written first"
            raise PermissionError(error.errno, reason, str(self._path)) from error
        except BaseException:  # a signal, too
            self._partial.unlink(missing_ok=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError:  # what it had not written yet
            if error is None:
                raise
        finally:
            self._partial.unlink(missing_ok=True)

    def write(self, text: str) -> None:
        """Append text."""
        self._file.write(text)

    def flush(self) -> None:
        """Write what is still in memory."""
        self._file.flush()

    def commit(self) -> None:
        """Put what was written, once it is on the disk, in the file's place."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._partial.replace(self._path)
