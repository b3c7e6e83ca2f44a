"""The folder of an archive's results, on a disk or in an object store."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

from ..addresses import file_system, is_url
from ..common import UsageError
from ..output import OutputError, told
from ..partial_file import PartialFile


class Folder(Protocol):
    """Files by name, each there whole or not at all.

    Attributes:
        name: as the user gave it.
    """

    name: str

    def names(self, folder: str) -> list[str]:
        """Return the names of the files of a folder below, in order."""

    def read(self, path: str) -> str | None:
        """Return what a file holds; None if it is not there."""

    def write(self, path: str, text: str) -> None:
        """Write a file; when this returns, it is kept, whatever dies."""

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    def sole(self) -> Any:
        """Return a context in which no other run writes here, as far as that can be told."""


class DiskFolder:
    """A folder of this machine, or of a file system that it shares.

    Raises:
        UsageError: it cannot be made.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self._root = Path(path)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--output-dir {path}: {error.strerror or error}") from error

    def names(self, folder: str) -> list[str]:
        """Return the names of the files of a folder below, in order; hidden ones are left out."""
        with told(f"--output-dir {self.name}"), suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self._root / folder) if name[0] != ".")
        return []

    def read(self, path: str) -> str | None:
        """Return what a file holds; None if it is not there."""
        with told(f"--output-dir {self.name}: {path}"), suppress(FileNotFoundError):
            return (self._root / path).read_text(encoding="utf-8", errors="surrogateescape")
        return None

    def write(self, path: str, text: str) -> None:
        """Write a file, and have its name on the disk, too."""
        place = self._root / path
        with told(f"--output-dir: {place}"):
            place.parent.mkdir(exist_ok=True)
            with PartialFile(place) as file:
                file.write(text)
                file.commit()
            folder = os.open(place.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with told(f"--output-dir: {self._root / path}"):
            (self._root / path).unlink(missing_ok=True)

    @contextmanager
    def sole(self) -> Iterator[None]:
        """Hold the folder's lock, which the system opens again however this process ends.

        Raises:
            UsageError: another run has it.
        """
        with told(f"--output-dir {self.name}"):
            file = open(self._root / ".lock", "w", encoding="ascii")  # noqa: SIM115
        with file:
            if not _lock(file):
                raise UsageError(
                    f"--output-dir {self.name}: another run writes there; end it first"
                )
            yield


def _lock(file: TextIO) -> bool:
    """Lock a file for as long as it is open; False if another has it. Windows has no such lock."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class StoreFolder:
    """A folder of an object store, through fsspec. A store puts an object there whole.

    Raises:
        UsageError: what is needed for its kind of address is not installed.
    """

    def __init__(self, url: str) -> None:
        self.name = url
        self._files, self._root = file_system(url)

    def names(self, folder: str) -> list[str]:
        """Return the names of the files of a folder below, in order."""
        with self._told(folder), suppress(FileNotFoundError):
            self._files.invalidate_cache()
            found = self._files.ls(self._path(folder), detail=False)
            return sorted(posixpath.basename(path) for path in found)
        return []

    def read(self, path: str) -> str | None:
        """Return what a file holds; None if it is not there."""
        with self._told(path), suppress(FileNotFoundError):
            data: bytes = self._files.cat_file(self._path(path))
            return data.decode("utf-8", "surrogateescape")
        return None

    def write(self, path: str, text: str) -> None:
        """Put a file there."""
        place = self._path(path)
        with self._told(path):
            self._files.makedirs(posixpath.dirname(place), exist_ok=True)
            self._files.pipe_file(place, text.encode("utf-8", "surrogateescape"))

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with self._told(path), suppress(FileNotFoundError):
            self._files.rm_file(self._path(path))

    @contextmanager
    def sole(self) -> Iterator[None]:
        """Do nothing: an object store has no locks, see `Ledger.commit`."""
        yield

    def _path(self, path: str) -> str:
        return posixpath.join(self._root, path)

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        """Say of an error what could not be read or written; each store has errors of its own."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:
            reason = str(error) or type(error).__name__
            raise OutputError(f"--output-dir {self.name}: {path}: {reason}") from error


def open_folder(name: str) -> Folder:
    """Return a folder by its path or its address.

    Raises:
        UsageError: it cannot be made, or its kind is not known.
    """
    return StoreFolder(name) if is_url(name) else DiskFolder(name)
