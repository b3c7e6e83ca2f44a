"""Temporary folders, and a disk that is full, as an error of its own."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from .errors import StorageFull

# No space, a user's quota, and a limit on the size of a process's files.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: BaseException) -> bool:
    """Return whether an error says that nothing more can be written."""
    return isinstance(error, OSError) and error.errno in _FULL


@contextmanager
def storing(what: str) -> Iterator[None]:
    """Report a full disk as `StorageFull`; other errors stay.

    Args:
        what: is written, for the message.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageFull(f"{what}: {error.strerror or error}") from error
        raise


def temporary_folder() -> TemporaryDirectory[str]:
    """Make an empty folder, which `with` or `cleanup` removes.

    Raises:
        StorageFull: there is no place for one: disks are full, or may not be written.
    """
    try:
        return TemporaryDirectory(prefix="triton-asr-")
    except OSError as error:
        raise StorageFull(
            f"temporary files: {error.strerror or error}; TMPDIR names another folder for them"
        ) from error
